//! What a person types: what to look for, or a stream's name in this view.

use bevy::input::ButtonState;
use bevy::input::keyboard::{Key, KeyboardInput};
use bevy::prelude::*;

use crate::camera::{Frames, Orbit};
use crate::choice::{self, Choice, Typing};
use crate::hud::panel::Open;
use crate::layout::Slot;
use crate::stream::Stream;

/// The longest text that is typed, in characters.
const LONGEST: usize = 64;

/// `/` (or `F3`) begins a search, `F2` a name for the selected stream.
pub fn begin(
    keys: Res<'_, ButtonInput<KeyCode>>,
    mut pressed: MessageReader<'_, '_, KeyboardInput>,
    choice: Res<'_, Choice>,
    streams: Query<'_, '_, &Stream>,
    mut typing: ResMut<'_, Typing>,
    mut open: ResMut<'_, Open>,
) {
    // By what is printed on the key: it lies elsewhere on other keyboards.
    let slash = pressed.read().any(|key| key.state == ButtonState::Pressed && key.logical_key == Key::Character("/".into()));
    if slash || keys.just_pressed(KeyCode::F3) {
        *typing = Typing::Search(String::new());
        open.0 = true;
    } else if keys.just_pressed(KeyCode::F2)
        && let Some(stream) = streams.iter().find(|stream| choice.selected == Some(stream.identity()))
    {
        *typing = Typing::Rename(stream.description.stream, choice.name(stream).to_owned());
        open.0 = true;
    }
}

/// Takes in letters until `Enter` or `Esc`.
pub fn letters(
    mut pressed: MessageReader<'_, '_, KeyboardInput>,
    mut typing: ResMut<'_, Typing>,
    mut choice: ResMut<'_, Choice>,
    streams: Query<'_, '_, (&Stream, &Slot)>,
    mut orbit: Single<'_, '_, &mut Orbit>,
) {
    for key in pressed.read().filter(|key| key.state == ButtonState::Pressed) {
        let text = match &mut *typing {
            Typing::No => continue,
            Typing::Search(text) | Typing::Rename(_, text) => text,
        };
        match &key.logical_key {
            Key::Escape => *typing = Typing::No,
            Key::Backspace => drop(text.pop()),
            Key::Enter => {
                match &*typing {
                    Typing::Search(wanted) => {
                        let found = choice::in_order(streams.iter());
                        let found = found.into_iter().find(|stream| choice::matches(stream, &choice, wanted));
                        if let Some(id) = found.map(Stream::identity) {
                            choice.selected = Some(id);
                            orbit.frames = Frames::One(id);
                        }
                    }
                    Typing::Rename(id, name) => choice.rename(*id, name),
                    Typing::No => {}
                }
                *typing = Typing::No;
            }
            _ => {
                let letters = key.text.iter().flat_map(|text| text.chars()).filter(|letter| !letter.is_control());
                let room = LONGEST.saturating_sub(text.chars().count());
                text.extend(letters.take(room));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::{KEY, description};

    fn app() -> App {
        let mut app = App::new();
        app.init_resource::<ButtonInput<KeyCode>>()
            .init_resource::<Choice>()
            .init_resource::<Typing>()
            .init_resource::<Open>()
            .add_message::<KeyboardInput>()
            .add_systems(Update, (letters, begin.run_if(choice::commands)).chain());
        app.world_mut().spawn(Orbit::default());
        for (slot, name) in ["Bass", "Drums"].into_iter().enumerate() {
            app.world_mut().spawn((Stream::new(KEY, description(name)), Slot(slot as u64)));
        }
        app
    }

    fn press(app: &mut App, logical_key: Key, text: Option<&str>) {
        let state = ButtonState::Pressed;
        let text = text.map(Into::into);
        let key_code = KeyCode::Fn;
        let window = Entity::PLACEHOLDER;
        app.world_mut().write_message(KeyboardInput { key_code, logical_key, state, text, repeat: false, window });
        app.update();
    }

    fn write(app: &mut App, words: &str) {
        words.chars().for_each(|letter| press(app, Key::Character(letter.to_string().into()), Some(&letter.to_string())));
    }

    #[test]
    fn a_search_selects_what_it_finds_and_flies_there() {
        let mut app = app();
        write(&mut app, "/");
        assert_eq!(*app.world().resource::<Typing>(), Typing::Search(String::new()));
        write(&mut app, "drX");
        press(&mut app, Key::Backspace, None);
        press(&mut app, Key::Enter, Some("\r"));
        assert_eq!(*app.world().resource::<Typing>(), Typing::No);
        let selected = app.world().resource::<Choice>().selected.unwrap();
        let mut streams = app.world_mut().query::<&Stream>();
        let found = streams.iter(app.world()).find(|stream| stream.identity() == selected).unwrap();
        assert_eq!(found.name(), "Drums");
        let orbit = *app.world_mut().query::<&Orbit>().single(app.world()).unwrap();
        assert_eq!(orbit.frames, Frames::One(selected));
    }

    #[test]
    fn a_name_is_bounded_and_can_be_given_up() {
        let mut app = app();
        let id = app.world_mut().query::<&Stream>().iter(app.world()).next().unwrap().description.stream;
        app.insert_resource(Typing::Rename(id, "A".into()));
        write(&mut app, &"x".repeat(500));
        press(&mut app, Key::Enter, None);
        assert_eq!(app.world().resource::<Choice>().names[&id].len(), LONGEST);
        app.insert_resource(Typing::Rename(id, "B".into()));
        press(&mut app, Key::Escape, None);
        assert_eq!(app.world().resource::<Choice>().names[&id].len(), LONGEST);
    }
}
