// The waveform of a stream's last seconds, on the plate in front of its terrain. Row 0 of the texture holds the lowest sample
// of each column, row 1 the highest, -1 to 1; the newest column is the last.

#import bevy_pbr::forward_io::VertexOutput

struct Look {
    wave: vec4<f32>,
    plate: vec4<f32>,
    line: vec4<f32>,
};

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var columns: texture_2d<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var<uniform> look: Look;

@fragment
fn fragment(in: VertexOutput) -> @location(0) vec4<f32> {
    let count = f32(textureDimensions(columns).x);
    let column = i32(clamp(in.uv.x * count, 0.0, count - 1.0));
    let low = textureLoad(columns, vec2<i32>(column, 0), 0).r;
    let high = textureLoad(columns, vec2<i32>(column, 1), 0).r;
    // Up is 1; quiet passages are drawn larger than they are, so that they can be seen.
    let y = 1.0 - 2.0 * in.uv.y;
    let top = sign(high) * pow(abs(high), 0.7) * 0.86;
    let bottom = sign(low) * pow(abs(low), 0.7) * 0.86;
    let soft = max(fwidth(y), 0.002);
    let inside = smoothstep(bottom - soft * 1.5, bottom, y) * (1.0 - smoothstep(top, top + soft * 1.5, y));
    let newer = 0.35 + 0.65 * in.uv.x;
    let edge = smoothstep(0.0, 0.9, abs(y) / max(max(abs(top), abs(bottom)), 0.02));
    let middle = (1.0 - smoothstep(0.0, soft * 1.2, abs(y))) * 0.5;
    let ground = mix(look.plate.rgb, look.line.rgb, middle);
    return vec4<f32>(mix(ground, look.wave.rgb * (0.75 + 0.35 * edge), inside * newer), 1.0);
}
