//! The frame of a picture: inline SVG that is as wide as its column, with words for those who do not see it.

use maud::{Markup, html};

/// Width of all pictures, in their own units: about the pixels of a phone's column, so that text of 16 units is as large as the
/// page's.
pub(super) const WIDTH: f64 = 330.0;

/// What stands around a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    /// What it shows.
    pub(super) title: &'a str,
    /// What is to be seen in it, in a sentence.
    pub(super) description: &'a str,
    /// Height in units.
    pub(super) height: f64,
}

impl Frame<'_> {
    /// A picture that stands by itself, with its title, and `table` for those who want figures.
    pub(super) fn figure(&self, content: &Markup, table: Option<Markup>) -> Markup {
        html! {
            figure {
                figcaption { h3 { (self.title) } p { (self.description) } }
                (self.svg(content))
                @if let Some(table) = table {
                    details { summary { "The figures" } div.scroll { (table) } }
                }
            }
        }
    }

    /// The picture alone.
    pub(super) fn svg(&self, content: &Markup) -> Markup {
        let (title, description) = (format!("{}-title", self.id), format!("{}-description", self.id));
        html! {
            svg role="img" viewBox=(format!("0 0 {WIDTH} {:.0}", self.height)) aria-labelledby=(format!("{title} {description}")) {
                title id=(title) { (self.title) }
                desc id=(description) { (self.description) }
                (content)
            }
        }
    }
}

/// A rectangle of class `class`. Numbers are rounded to hundredths: pages stay small.
pub(super) fn rectangle(class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) -> Markup {
    html! { rect class=(class) x=(short(x)) y=(short(y)) width=(short(width.max(0.0))) height=(short(height.max(0.0))) {} }
}

/// A horizontal line from side to side.
pub(super) fn line(y: f64) -> Markup {
    html! { line x1="0" x2=(WIDTH) y1=(short(y)) y2=(short(y)) {} }
}

/// Text, moved so that it stays within the picture: from the left edge, around the middle, or to the right edge.
pub(super) fn label(x: f64, y: f64, text: &str) -> Markup {
    let (x, anchor) = match x / WIDTH {
        part if part < 0.12 => (x.max(0.0), "start"),
        part if part > 0.88 => (x.min(WIDTH), "end"),
        _ => (x, "middle"),
    };
    html! { text x=(short(x)) y=(short(y)) text-anchor=(anchor) { (text) } }
}

/// The head of a table.
pub(super) fn head(columns: &[&str]) -> Markup {
    html! { thead { tr { @for column in columns { th scope="col" { (column) } } } } }
}

fn short(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
