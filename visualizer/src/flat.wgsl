// One colour; sides are darker than tops.

#import bevy_pbr::forward_io::VertexOutput

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<uniform> colour: vec4<f32>;

@fragment
fn fragment(in: VertexOutput) -> @location(0) vec4<f32> {
    let light = 0.72 + 0.28 * normalize(in.world_normal).y;
    return vec4<f32>(colour.rgb * light, 1.0);
}
