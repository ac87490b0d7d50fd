// The curves of a stream on the lane beside its terrain: each row of the texture holds the values of one, from 0 to 1, the newest last;
// below 0 there is none. Each has a pattern of its own along the time.

#import bevy_pbr::forward_io::VertexOutput

struct Look {
    colours: array<vec4<f32>, 4>,
    plate: vec4<f32>,
    line: vec4<f32>,
};

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var values: texture_2d<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var<uniform> look: Look;

@fragment
fn fragment(in: VertexOutput) -> @location(0) vec4<f32> {
    let count = f32(textureDimensions(values).x);
    let along = clamp(in.uv.y * count, 0.0, count - 1.0);
    let column = i32(along);
    let soft = max(fwidth(in.uv.x), 0.004);
    let middle = 1.0 - smoothstep(0.0, soft, abs(in.uv.x - 0.5));
    var colour = mix(look.plate.rgb, look.line.rgb, middle * 0.6);
    var patterns = array<vec2<f32>, 4>(vec2<f32>(1.0, 1.0), vec2<f32>(16.0, 0.65), vec2<f32>(6.0, 0.5), vec2<f32>(32.0, 0.85));
    for (var curve = 0; curve < 4; curve++) {
        let here = textureLoad(values, vec2<i32>(column, curve), 0).r;
        let next = textureLoad(values, vec2<i32>(min(column + 1, i32(count) - 1), curve), 0).r;
        let pattern = patterns[curve];
        if here < 0.0 || fract(along / pattern.x) > pattern.y {
            continue;
        }
        let start = 0.05 + 0.9 * here;
        let stop = 0.05 + 0.9 * select(next, here, next < 0.0);
        let outside = max(max(min(start, stop) - in.uv.x, in.uv.x - max(start, stop)), 0.0);
        let inside = 1.0 - smoothstep(0.014, 0.014 + soft * 1.5, outside);
        colour = mix(colour, look.colours[curve].rgb, inside * (0.55 + 0.45 * in.uv.y));
    }
    return vec4<f32>(colour, 1.0);
}
