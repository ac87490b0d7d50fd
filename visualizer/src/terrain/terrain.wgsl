// The terrain of one stream. The texture `rows` is a ring: one row per hop of the spectrum, each texel the level (0 to 1) of
// one band. Its last row is no spectrum: its first texel is the newest row shown, its second how far (0 to 1) the head is
// beyond it, its third the brightness of the whole.

#import bevy_pbr::{mesh_functions, view_transformations::position_world_to_clip}

struct Shape {
    // Width (frequency), height and depth (time) of the terrain, in world units.
    size: vec3<f32>,
    // Rows of the ring from one row of the mesh to the next.
    stride: f32,
    background: vec4<f32>,
};

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var rows: texture_2d<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var colours: texture_2d<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(2) var colours_sampler: sampler;
@group(#{MATERIAL_BIND_GROUP}) @binding(3) var<uniform> shape: Shape;

struct Vertex {
    @builtin(instance_index) instance_index: u32,
    // x: column of the mesh, one per band and one more on each side; z: row of the mesh, 0 at the front. The outermost columns
    // and the first row stand on the ground: with their neighbours they are the sides of the body.
    @location(0) position: vec3<f32>,
};

struct Surface {
    @builtin(position) clip: vec4<f32>,
    @location(0) band: f32,
    // Rows of the ring before now.
    @location(1) age: f32,
    // 0 on the ground, 1 on the surface.
    @location(2) rise: f32,
};

fn bands() -> i32 { return i32(textureDimensions(rows).x); }
fn ring() -> i32 { return i32(textureDimensions(rows).y) - 1; }
fn control(texel: i32) -> f32 { return textureLoad(rows, vec2<i32>(texel, ring()), 0).r; }

fn level(band: i32, row: i32) -> f32 {
    let count = ring();
    let wrapped = ((row % count) + count) % count;
    return textureLoad(rows, vec2<i32>(clamp(band, 0, bands() - 1), wrapped), 0).r;
}

// Quiet parts lie low, loud ones stand out; towards the far end everything sinks into the ground.
fn relief(value: f32, age: f32) -> f32 {
    let far = age / f32(ring());
    return pow(value, 1.9) * (1.0 - smoothstep(0.93, 0.985, far));
}

@vertex
fn vertex(vertex: Vertex) -> Surface {
    let head = i32(control(0));
    let fraction = control(1);
    let stride = i32(shape.stride);
    let mesh_row = i32(vertex.position.z);
    let column = i32(vertex.position.x) - 1;
    let band = clamp(column, 0, bands() - 1);

    // The surface's first row stands at the head; the others keep to fixed rows of the ring, so that peaks move with the
    // music instead of flickering as they pass from vertex to vertex.
    var row = head;
    var age = 0.0;
    var value = level(band, row);
    if mesh_row > 1 {
        row = head - head % stride - (mesh_row - 2) * stride;
        age = f32(head - row) + fraction;
        value = 0.0;
        for (var back = 0; back < stride; back++) {
            value = max(value, level(band, row - back));
        }
    }
    let rise = select(1.0, 0.0, mesh_row == 0 || band != column);

    let x = f32(band) / f32(bands() - 1) * shape.size.x;
    let y = relief(value, age) * rise * shape.size.y;
    let z = -age / f32(ring()) * shape.size.z;
    let world_from_local = mesh_functions::get_world_from_local(vertex.instance_index);
    let world = mesh_functions::mesh_position_local_to_world(world_from_local, vec4<f32>(x, y, z, 1.0));

    var out: Surface;
    out.clip = position_world_to_clip(world.xyz);
    out.band = f32(band);
    out.age = age;
    out.rise = rise;
    return out;
}

@fragment
fn fragment(in: Surface) -> @location(0) vec4<f32> {
    let position = control(0) + control(1) - in.age;
    let row = i32(floor(position));
    let band = i32(floor(in.band));
    let across = in.band - f32(band);
    let along = position - f32(row);

    let a = level(band, row);
    let b = level(band + 1, row);
    let c = level(band, row + 1);
    let d = level(band + 1, row + 1);
    // The row after the newest is the oldest of the ring.
    let ahead = select(along, 0.0, in.age < 1.0);
    let value = mix(mix(a, b, across), mix(c, d, across), ahead);

    // Light from the left, the front and above.
    let slope_x = mix(b - a, d - c, ahead) * f32(bands()) / shape.size.x * shape.size.y;
    let slope_z = -mix(c - a, d - b, across) * f32(ring()) / shape.size.z * shape.size.y * 0.12;
    let normal = normalize(vec3<f32>(-slope_x * 0.5, 1.0, -slope_z));
    let light = 0.62 + 0.55 * max(dot(normal, normalize(vec3<f32>(-0.45, 0.75, 0.5))), 0.0);

    let far = in.age / f32(ring());
    let side = 1.0 - smoothstep(0.85, 1.0, in.rise);
    let shade = value * mix(1.0, 0.35 + 0.65 * in.rise, side);
    let colour = textureSampleLevel(colours, colours_sampler, vec2<f32>(shade * 0.996 + 0.002, 0.5), 0.0).rgb;
    let edge = (1.0 - smoothstep(0.0, 5.0, in.age)) * (1.0 - side);
    let lit = colour * mix(light, 0.55, side) * (1.0 + 0.8 * edge) * control(2);
    let fade = smoothstep(0.35, 1.0, far);
    return vec4<f32>(mix(lit, shape.background.rgb, fade * fade * 0.96), 1.0);
}
