// The frame around a terrain: a solid line for what is selected, dashes for what is worth a look, diagonal stripes for what loses audio.

#import bevy_pbr::forward_io::VertexOutput

struct Look {
    colour: vec4<f32>,
    ground: vec4<f32>,
    // Width and depth of the frame in world units, its pattern, and nothing.
    shape: vec4<f32>,
};

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<uniform> look: Look;

@fragment
fn fragment(in: VertexOutput) -> @location(0) vec4<f32> {
    let size = look.shape.xy;
    let at = in.uv * size;
    let edge = min(min(at.x, size.x - at.x), min(at.y, size.y - at.y));
    var part = 0.0;
    if look.shape.z < 1.5 {
        part = 1.0 - step(0.10, edge);
    } else if look.shape.z < 2.5 {
        part = step(0.45, fract((at.x + at.y) / 1.3)) * (1.0 - step(0.20, edge));
    } else {
        part = step(0.5, fract((at.x - at.y) / 0.9));
    }
    return vec4<f32>(mix(look.ground.rgb, look.colour.rgb, part), 1.0);
}
