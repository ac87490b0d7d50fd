//! Draws egui's triangles as its OpenGL painter does: textures times colour, blended with premultiplied alpha. Slow, and the same on
//! every machine.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;

use egui::epaint::{ClippedPrimitive, ImageData, Mesh, Primitive, Vertex};
use egui::{Color32, ColorImage, Rect, TextureId, TexturesDelta, Vec2, pos2, vec2};

/// Where a window is drawn, one pixel for each point.
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 4]>,
    textures: HashMap<TextureId, ColorImage>,
}

impl Canvas {
    /// Black.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0.0, 0.0, 0.0, 1.0]; width * height], textures: HashMap::new() }
    }

    /// Takes over what has changed of the textures.
    pub(crate) fn learn(&mut self, delta: &mut TexturesDelta) {
        for (id, part) in delta.set.iter().flat_map(|(id, parts)| parts.iter().map(move |part| (id, part))) {
            let ImageData::Color(image) = &part.image;
            let Some([left, top]) = part.pos else {
                self.textures.insert(*id, (**image).clone());
                continue;
            };
            let texture = self.textures.get_mut(id).expect("a texture that is changed was made before");
            let width = image.size[0];
            for (row, pixels) in image.pixels.chunks_exact(width).enumerate() {
                let start = (top + row) * texture.size[0] + left;
                texture.pixels[start..start + width].copy_from_slice(pixels);
            }
        }
        delta.clear();
    }

    /// Draws.
    pub(crate) fn paint(&mut self, primitives: &[ClippedPrimitive]) {
        for primitive in primitives {
            if let Primitive::Mesh(mesh) = &primitive.primitive {
                self.mesh(mesh, primitive.clip_rect);
            }
        }
    }

    /// What was drawn.
    pub(crate) fn picture(&self) -> Picture {
        let byte = |value: f32| (value * 255.0).round().clamp(0.0, 255.0) as u8;
        let bytes = self.pixels.iter().flat_map(|pixel| [byte(pixel[0]), byte(pixel[1]), byte(pixel[2])]).collect();
        Picture { width: self.width, height: self.height, bytes }
    }

    fn mesh(&mut self, mesh: &Mesh, clip: Rect) {
        let texture = self.textures[&mesh.texture_id].clone();
        for corners in mesh.indices.chunks_exact(3) {
            let [a, b, c] = [corners[0], corners[1], corners[2]].map(|index| mesh.vertices[index as usize]);
            self.triangle(a, b, c, &texture, clip);
        }
    }

    fn triangle(&mut self, a: Vertex, mut b: Vertex, mut c: Vertex, texture: &ColorImage, clip: Rect) {
        let cross = |u: Vec2, v: Vec2| u.x * v.y - u.y * v.x;
        let mut area = cross(b.pos - a.pos, c.pos - a.pos);
        if area < 0.0 {
            (b, c) = (c, b);
            area = -area;
        }
        if area == 0.0 {
            return;
        }
        let bounds = Rect::from_points(&[a.pos, b.pos, c.pos]).intersect(clip);
        let whole = |value: f32, most: usize| (value.max(0.0) as usize).min(most);
        for y in whole(bounds.top().floor(), self.height)..whole(bounds.bottom().ceil(), self.height) {
            for x in whole(bounds.left().floor(), self.width)..whole(bounds.right().ceil(), self.width) {
                let at = pos2(x as f32 + 0.5, y as f32 + 0.5);
                if !clip.contains(at) {
                    continue;
                }
                let share = |from: Vertex, to: Vertex| {
                    let (edge, value) = (to.pos - from.pos, cross(to.pos - from.pos, at - from.pos));
                    // A point on an edge belongs to one triangle alone.
                    let owns = edge.y < 0.0 || (edge.y == 0.0 && edge.x > 0.0);
                    (value > 0.0 || (value == 0.0 && owns)).then_some(value / area)
                };
                if let (Some(of_c), Some(of_a), Some(of_b)) = (share(a, b), share(b, c), share(c, a)) {
                    let uv = a.uv.to_vec2() * of_a + b.uv.to_vec2() * of_b + c.uv.to_vec2() * of_c;
                    let color = mix([(a.color, of_a), (b.color, of_b), (c.color, of_c)]);
                    let texel = sample(texture, uv);
                    let source: [f32; 4] = std::array::from_fn(|n| color[n] * texel[n]);
                    let target = &mut self.pixels[y * self.width + x];
                    *target = std::array::from_fn(|n| source[n] + target[n] * (1.0 - source[3]));
                }
            }
        }
    }
}

fn mix(parts: [(Color32, f32); 3]) -> [f32; 4] {
    let mut sum = [0.0; 4];
    for (color, share) in parts {
        sum.iter_mut().zip(color.to_array()).for_each(|(sum, value)| *sum += share * f32::from(value) / 255.0);
    }
    sum
}

/// Between the four nearest texels.
fn sample(texture: &ColorImage, uv: Vec2) -> [f32; 4] {
    let [width, height] = texture.size;
    let at = vec2(uv.x * width as f32 - 0.5, uv.y * height as f32 - 0.5);
    let (left, top) = (at.x.floor(), at.y.floor());
    let mut sum = [0.0; 4];
    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let share = (1.0 - (at.x - left - dx).abs()) * (1.0 - (at.y - top - dy).abs());
        let x = ((left + dx).max(0.0) as usize).min(width - 1);
        let y = ((top + dy).max(0.0) as usize).min(height - 1);
        let texel = texture.pixels[y * width + x].to_array();
        sum.iter_mut().zip(texel).for_each(|(sum, value)| *sum += share * f32::from(value) / 255.0);
    }
    sum
}

/// Red, green and blue, a byte each.
#[derive(Clone)]
pub(crate) struct Picture {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Picture {
    /// Reads a PNG file of 8 bits for each colour.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut reader = png::Decoder::new(BufReader::new(File::open(path)?)).read_info()?;
        let mut bytes = vec![0; reader.output_buffer_size().unwrap_or_default()];
        let info = reader.next_frame(&mut bytes)?;
        if info.color_type != png::ColorType::Rgb {
            return Err(io::Error::other("not a picture of red, green and blue"));
        }
        Ok(Self { width: info.width as usize, height: info.height as usize, bytes })
    }

    /// Writes a PNG file.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        encoder.write_header()?.write_image_data(&self.bytes)?;
        Ok(())
    }

    /// Without colours.
    pub(crate) fn grey(&self) -> Self {
        let weights = [0.299, 0.587, 0.114];
        let light = |pixel: &[u8]| pixel.iter().zip(weights).map(|(value, weight)| f32::from(*value) * weight).sum::<f32>() as u8;
        Self { bytes: self.bytes.chunks_exact(3).flat_map(|pixel| [light(pixel); 3]).collect(), ..self.clone() }
    }

    /// The share of pixels of which a colour differs by more than `tolerance`; 1 for pictures of different sizes.
    pub(crate) fn difference(&self, other: &Self, tolerance: u8) -> f64 {
        if (self.width, self.height) != (other.width, other.height) {
            return 1.0;
        }
        let pairs = self.bytes.chunks_exact(3).zip(other.bytes.chunks_exact(3));
        let differing = pairs.filter(|(one, other)| one.iter().zip(*other).any(|(one, other)| one.abs_diff(*other) > tolerance));
        differing.count() as f64 / (self.width * self.height) as f64
    }
}
