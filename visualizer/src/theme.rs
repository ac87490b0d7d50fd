//! Colours of everything that is drawn, in a dark and a light theme. What is drawn says which [`Tint`] it has; when the theme
//! changes, all is painted anew.

use bevy::color::{Color, Srgba};
use bevy::prelude::*;
use serde::{Deserialize, Serialize};

/// Which theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Bright on near-black: for a dim room.
    #[default]
    Dark,
    /// Dark on paper white: for a bright room, and for print.
    Light,
}

/// What a colour is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tint {
    /// Behind everything.
    Background,
    /// The plate under a terrain.
    Plate,
    /// Lines and scales.
    Line,
    /// Names and figures.
    Text,
    /// What explains a figure.
    Dim,
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Something is lost.
    Bad,
    /// The waveform.
    Wave,
    /// What is selected.
    Accent,
    /// Behind texts that stand over the picture.
    Panel,
    /// A row of the panel that is selected, or the part of the time line that is.
    Chosen,
    /// Nothing at all.
    None,
}

/// The theme of the picture.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme(pub Kind);

impl Theme {
    /// The colour of a tint.
    pub fn colour(self, tint: Tint) -> Color {
        let rgb = |red, green, blue| Color::Srgba(Srgba::new(red, green, blue, 1.0));
        let rgba = |red, green, blue, alpha| Color::Srgba(Srgba::new(red, green, blue, alpha));
        // Good, warn and bad differ in lightness too, and never stand without a word or a shape that says the same.
        match (self.0, tint) {
            (_, Tint::None) => Color::NONE,
            (Kind::Dark, Tint::Background) => rgb(0.027, 0.031, 0.047),
            (Kind::Dark, Tint::Plate) => rgb(0.050, 0.056, 0.080),
            (Kind::Dark, Tint::Line) => rgb(0.17, 0.19, 0.26),
            (Kind::Dark, Tint::Text) => rgb(0.93, 0.94, 0.97),
            (Kind::Dark, Tint::Dim) => rgb(0.58, 0.61, 0.70),
            (Kind::Dark, Tint::Good) => rgb(0.36, 0.84, 0.72),
            (Kind::Dark, Tint::Warn) => rgb(0.98, 0.78, 0.36),
            (Kind::Dark, Tint::Bad) => rgb(1.00, 0.44, 0.42),
            (Kind::Dark, Tint::Wave) => rgb(0.42, 0.84, 0.98),
            (Kind::Dark, Tint::Accent) => rgb(0.55, 0.74, 1.00),
            (Kind::Dark, Tint::Panel) => rgba(0.035, 0.040, 0.060, 0.86),
            (Kind::Dark, Tint::Chosen) => rgba(0.55, 0.74, 1.00, 0.16),
            (Kind::Light, Tint::Background) => rgb(0.965, 0.965, 0.955),
            (Kind::Light, Tint::Plate) => rgb(0.905, 0.908, 0.905),
            (Kind::Light, Tint::Line) => rgb(0.74, 0.75, 0.77),
            (Kind::Light, Tint::Text) => rgb(0.09, 0.10, 0.14),
            (Kind::Light, Tint::Dim) => rgb(0.37, 0.39, 0.45),
            (Kind::Light, Tint::Good) => rgb(0.00, 0.45, 0.38),
            (Kind::Light, Tint::Warn) => rgb(0.62, 0.38, 0.00),
            (Kind::Light, Tint::Bad) => rgb(0.78, 0.10, 0.12),
            (Kind::Light, Tint::Wave) => rgb(0.05, 0.42, 0.62),
            (Kind::Light, Tint::Accent) => rgb(0.10, 0.33, 0.72),
            (Kind::Light, Tint::Panel) => rgba(0.985, 0.985, 0.98, 0.90),
            (Kind::Light, Tint::Chosen) => rgba(0.10, 0.33, 0.72, 0.13),
        }
    }

    /// The same for materials.
    pub fn linear(self, tint: Tint) -> LinearRgba {
        self.colour(tint).to_linear()
    }
}

/// The tint of a text.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[require(TextColor)]
pub struct Ink(pub Tint);

/// The tint of an area.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[require(BackgroundColor)]
pub struct Fill(pub Tint);

/// The tint of an outline.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[require(BorderColor)]
pub struct Stroke(pub Tint);

/// Paints what is new or has another tint, and everything when the theme has changed.
pub fn paint(
    theme: Res<'_, Theme>,
    mut ground: ResMut<'_, ClearColor>,
    mut texts: Query<'_, '_, (Ref<'_, Ink>, &mut TextColor)>,
    mut areas: Query<'_, '_, (Ref<'_, Fill>, &mut BackgroundColor)>,
    mut outlines: Query<'_, '_, (Ref<'_, Stroke>, &mut BorderColor)>,
) {
    let anew = theme.is_changed();
    if anew {
        ground.0 = theme.colour(Tint::Background);
    }
    for (ink, mut colour) in texts.iter_mut().filter(|(ink, _)| anew || ink.is_changed()) {
        colour.set_if_neq(TextColor(theme.colour(ink.0)));
    }
    for (fill, mut colour) in areas.iter_mut().filter(|(fill, _)| anew || fill.is_changed()) {
        colour.set_if_neq(BackgroundColor(theme.colour(fill.0)));
    }
    for (stroke, mut colour) in outlines.iter_mut().filter(|(stroke, _)| anew || stroke.is_changed()) {
        colour.set_if_neq(BorderColor::all(theme.colour(stroke.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast as WCAG 2.2 defines it (1 to 21).
    fn contrast(one: Color, other: Color) -> f32 {
        let (one, other) = (one.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn texts_can_be_read_in_both_themes() {
        for theme in [Theme(Kind::Dark), Theme(Kind::Light)] {
            for tint in [Tint::Text, Tint::Dim, Tint::Good, Tint::Warn, Tint::Bad, Tint::Accent] {
                let contrast = contrast(theme.colour(tint), theme.colour(Tint::Background));
                assert!(contrast >= 4.5, "{theme:?} {tint:?}: {contrast}, and WCAG AA asks for 4.5");
            }
        }
    }

    #[test]
    fn another_theme_paints_everything_anew() {
        let mut app = App::new();
        app.init_resource::<Theme>().insert_resource(ClearColor(Color::NONE)).add_systems(Update, paint);
        let text = app.world_mut().spawn(Ink(Tint::Text)).id();
        app.update();
        let colour = |app: &App| app.world().get::<TextColor>(text).unwrap().0;
        assert_eq!(colour(&app), Theme(Kind::Dark).colour(Tint::Text));
        *app.world_mut().resource_mut::<Theme>() = Theme(Kind::Light);
        app.update();
        assert_eq!(colour(&app), Theme(Kind::Light).colour(Tint::Text));
        assert_eq!(app.world().resource::<ClearColor>().0, Theme(Kind::Light).colour(Tint::Background));
    }
}
