//! A recording as one picture: waveform, spectrogram, notes, tempo, levels and gaps above one another, on one time axis.

mod axis;
mod measure;
mod page;
mod panels;
mod spectrogram;

use std::ops::Range;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;

use crate::source::Source;
use crate::store::StoreError;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The recording cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing of it lies in the time that was asked for.
    #[error("the recording holds nothing from {from} s to {to} s: it is {length:.1} s long")]
    Empty {
        /// Begin, seconds.
        from: f64,
        /// End, seconds.
        to: f64,
        /// The take's length, seconds.
        length: f64,
    },
    /// The picture cannot be drawn.
    #[error("the picture cannot be drawn: {0}")]
    Draw(String),
}

/// Draws the samples in `range` of a take, as an SVG document. Memory is that of the picture and the take's events, however long it is.
///
/// # Errors
/// [`PlotError`].
pub fn svg(source: &Source, range: Range<u64>) -> Result<String, PlotError> {
    let rate = source.summary.sample_rate;
    let range = range.start..range.end.min(source.end());
    if range.is_empty() {
        let (from, to) = (range.start as f64 / rate, range.end as f64 / rate);
        return Err(PlotError::Empty { from, to, length: source.end() as f64 / rate });
    }
    let measured = measure::measure(source, &range)?;
    page::draw(source, &range, &measured)
}

/// The picture of an SVG document of [`svg`] as a PNG file, `scale` pixels for each of its units.
///
/// # Errors
/// [`PlotError::Draw`].
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, PlotError> {
    let mut options = usvg::Options { font_family: page::FONT.to_owned(), ..usvg::Options::default() };
    // The picture looks alike on every machine: the font comes with the program.
    let fonts = options.fontdb_mut();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family(page::FONT);
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| PlotError::Draw(error.to_string()))?;
    let size = tree.size();
    let pixels = |length: f32| (length * scale).ceil() as u32;
    let mut pixmap = Pixmap::new(pixels(size.width()), pixels(size.height()))
        .ok_or_else(|| PlotError::Draw("it would be too large".to_owned()))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| PlotError::Draw(error.to_string()))
}
