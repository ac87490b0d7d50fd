//! Lets one hear the selected stream on this machine. Off until `M` is pressed.

pub mod feed;
pub mod output;

use std::sync::{Mutex, PoisonError};

use bevy::prelude::*;

use crate::choice::Choice;
use crate::export::Saying;
use crate::source::StreamKey;
use crate::stream::Stream;
use feed::Feeder;
use output::Output;

/// What is heard.
#[derive(Resource, Debug, Default)]
pub struct Monitor {
    /// Never locked: only who has the whole to themselves looks into it.
    sound: Mutex<Option<Sound>>,
    /// Which stream is played.
    playing: Option<StreamKey>,
}

/// The device that is open, or about to be.
#[derive(Debug)]
struct Sound {
    output: Output,
    feeder: Option<Feeder>,
}

impl Monitor {
    /// Whether this stream is what is heard.
    pub fn plays(&self, stream: &Stream) -> bool {
        self.playing == Some(stream.key)
    }

    fn sound(&mut self) -> &mut Option<Sound> {
        self.sound.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `M` switches it on and off.
pub fn keys(keys: Res<'_, ButtonInput<KeyCode>>, mut monitor: ResMut<'_, Monitor>, mut saying: ResMut<'_, Saying>) {
    if !keys.just_pressed(KeyCode::KeyM) {
        return;
    }
    if monitor.sound().is_some() {
        *monitor = Monitor::default();
        saying.say("listening is off");
        return;
    }
    match Output::open() {
        Ok(output) => *monitor.sound() = Some(Sound { output, feeder: None }),
        Err(why) => saying.say(format!("nothing can be heard: {why}")),
    }
}

/// Hands on what is new of the selected stream.
pub fn play(
    mut monitor: ResMut<'_, Monitor>,
    choice: Res<'_, Choice>,
    streams: Query<'_, '_, &Stream>,
    mut saying: ResMut<'_, Saying>,
) {
    let selected = streams.iter().find(|stream| choice.selected == Some(stream.identity()));
    let wanted = selected.map(|stream| stream.key);
    let changes = monitor.playing != wanted;
    let Some(sound) = monitor.sound() else { return };
    let mut is_new = false;
    match sound.output.told() {
        Some(Ok(feeder)) => {
            sound.feeder = Some(feeder);
            is_new = true;
        }
        Some(Err(why)) => {
            *monitor = Monitor::default();
            saying.say(format!("nothing can be heard: {why}"));
            return;
        }
        None => {}
    }
    let Some(feeder) = sound.feeder.as_mut() else { return };
    if changes {
        feeder.begin(wanted.is_some());
    }
    if let Some(stream) = selected {
        feeder.feed(&stream.samples, stream.description.sample_rate);
    }
    if changes || is_new {
        monitor.playing = wanted;
        saying.say(match selected {
            Some(stream) => format!("listening to {}", choice.name(stream)),
            None => "select a stream to listen to".to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_sound_says_so_and_the_view_goes_on() {
        let mut app = App::new();
        app.init_resource::<Monitor>()
            .init_resource::<Choice>()
            .init_resource::<Saying>()
            .init_resource::<ButtonInput<KeyCode>>()
            .add_systems(Update, (keys, play).chain());
        app.update();
        assert!(!app.world().resource::<Saying>().words().contains("heard"), "it is off");
        app.world_mut().resource_mut::<ButtonInput<KeyCode>>().press(KeyCode::KeyM);
        app.update();
        app.world_mut().resource_mut::<ButtonInput<KeyCode>>().clear();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while app.world().resource::<Saying>().words().is_empty() {
            assert!(std::time::Instant::now() < until, "it says nothing");
            app.update();
        }
        let said = app.world().resource::<Saying>().words().to_owned();
        assert!(said.starts_with("nothing can be heard: ") || said == "select a stream to listen to", "{said}");
    }
}
