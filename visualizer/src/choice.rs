//! What a person chose of the streams: which is selected, which are heard of alone, which are not wanted, and what they are called
//! here. It is kept by the streams' identities, so that it outlives takes and connections.

use std::collections::{BTreeMap, BTreeSet};

use bevy::prelude::*;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::units::StreamId;

use crate::layout::Slot;
use crate::stream::{Identity, Stream};

/// The choices.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// The stream whose details are shown.
    pub selected: Option<Identity>,
    /// If there are any, only these are shown.
    pub solo: BTreeSet<Identity>,
    /// These are not shown.
    pub hidden: BTreeSet<Identity>,
    /// Names given in this view; the recording keeps its own.
    pub names: BTreeMap<StreamId, String>,
}

impl Choice {
    /// Whether a stream is to be seen.
    pub fn shows(&self, stream: &Stream) -> bool {
        let id = stream.identity();
        if self.solo.is_empty() { !self.hidden.contains(&id) } else { self.solo.contains(&id) }
    }

    /// What a stream is called in this view.
    pub fn name<'a>(&'a self, stream: &'a Stream) -> &'a str {
        self.names.get(&stream.description.stream).map_or_else(|| stream.name(), String::as_str)
    }

    /// Names a stream in this view; an empty name takes its own again.
    pub fn rename(&mut self, id: StreamId, name: &str) {
        match name.trim() {
            "" => self.names.remove(&id),
            name => self.names.insert(id, name.to_owned()),
        };
    }

    /// Whether any stream is left out.
    pub fn is_partial(&self) -> bool {
        !self.solo.is_empty() || !self.hidden.is_empty()
    }
}

/// What is being typed. While it is, keys are letters.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub enum Typing {
    /// Nothing.
    #[default]
    No,
    /// What to look for.
    Search(String),
    /// A stream's name in this view.
    Rename(StreamId, String),
}

/// Whether keys are commands.
pub fn commands(typing: Res<'_, Typing>) -> bool {
    *typing == Typing::No
}

/// Streams in the order of the panel and of the grid: by machine, then as they came.
pub fn in_order<'a>(streams: impl Iterator<Item = (&'a Stream, &'a Slot)>) -> Vec<&'a Stream> {
    let mut sorted: Vec<(&Stream, &Slot)> = streams.collect();
    let mut first: BTreeMap<_, Slot> = BTreeMap::new();
    for (stream, slot) in &sorted {
        let earliest = first.entry(stream.description.machine).or_insert(**slot);
        *earliest = (*earliest).min(**slot);
    }
    sorted.sort_by_key(|(stream, slot)| (first[&stream.description.machine], **slot));
    sorted.into_iter().map(|(stream, _)| stream).collect()
}

/// Whether `stream` is what a person looks for: each word is in its name, its machine's or its host's.
pub fn matches(stream: &Stream, choice: &Choice, wanted: &str) -> bool {
    let told = [
        choice.name(stream),
        stream.name(),
        stream.description.property(PropertyKey::MACHINE),
        stream.description.property(PropertyKey::HOST),
    ];
    let told = told.map(str::to_lowercase);
    wanted.to_lowercase().split_whitespace().all(|word| told.iter().any(|text| text.contains(word)))
}

/// The keys that choose: `Tab` the next stream (with Shift the one before), `S` solo, `X` hides, `A` shows all, `Esc` lets go.
pub fn keys(keys: Res<'_, ButtonInput<KeyCode>>, mut choice: ResMut<'_, Choice>, streams: Query<'_, '_, (&Stream, &Slot)>) {
    if keys.just_pressed(KeyCode::Tab) {
        let shown = in_order(streams.iter().filter(|(stream, _)| choice.shows(stream)));
        let ids: Vec<Identity> = shown.iter().map(|stream| stream.identity()).collect();
        let at = choice.selected.and_then(|id| ids.iter().position(|other| *other == id));
        let back = keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
        choice.selected = match (at, ids.len()) {
            (_, 0) => None,
            (None, count) => Some(ids[if back { count - 1 } else { 0 }]),
            (Some(at), count) => Some(ids[(at + if back { count - 1 } else { 1 }) % count]),
        };
    }
    if keys.just_pressed(KeyCode::Escape) && choice.selected.is_some() {
        choice.selected = None;
    }
    if keys.just_pressed(KeyCode::KeyA) && choice.is_partial() {
        choice.solo.clear();
        choice.hidden.clear();
    }
    let Some(selected) = choice.selected else { return };
    if keys.just_pressed(KeyCode::KeyS) && !choice.solo.remove(&selected) {
        choice.solo.insert(selected);
    }
    if keys.just_pressed(KeyCode::KeyX) && !choice.hidden.remove(&selected) {
        choice.hidden.insert(selected);
        choice.solo.remove(&selected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::{KEY, description};

    fn app(count: u64) -> (App, Vec<Identity>) {
        let mut app = App::new();
        app.init_resource::<Choice>().init_resource::<ButtonInput<KeyCode>>().add_systems(Update, keys);
        let ids = (0..count).map(|slot| {
            let stream = Stream::new(KEY, description(["Bass", "Drums", "Flute"][slot as usize % 3]));
            let id = stream.identity();
            app.world_mut().spawn((stream, Slot(slot)));
            id
        });
        let ids = ids.collect();
        (app, ids)
    }

    fn press(app: &mut App, key: KeyCode) -> Choice {
        app.world_mut().resource_mut::<ButtonInput<KeyCode>>().press(key);
        app.update();
        let mut keys = app.world_mut().resource_mut::<ButtonInput<KeyCode>>();
        keys.release(key);
        keys.clear();
        app.world().resource::<Choice>().clone()
    }

    #[test]
    fn tab_goes_round_and_keys_act_on_what_is_selected() {
        let (mut app, ids) = app(3);
        assert_eq!(press(&mut app, KeyCode::KeyX), Choice::default(), "nothing is selected");
        assert_eq!(press(&mut app, KeyCode::Tab).selected, Some(ids[0]));
        assert_eq!(press(&mut app, KeyCode::Tab).selected, Some(ids[1]));
        assert!(press(&mut app, KeyCode::KeyX).hidden.contains(&ids[1]));
        assert_eq!(press(&mut app, KeyCode::Tab).selected, Some(ids[0]), "what is hidden is passed over");
        assert_eq!(press(&mut app, KeyCode::Tab).selected, Some(ids[2]));
        assert!(press(&mut app, KeyCode::KeyS).solo.contains(&ids[2]));
        assert!(!press(&mut app, KeyCode::KeyA).is_partial());
        assert_eq!(press(&mut app, KeyCode::Escape).selected, None);
    }

    #[test]
    fn solo_shows_only_those_and_hidden_all_but_those() {
        let streams: Vec<Stream> = ["Bass", "Drums"].map(|name| Stream::new(KEY, description(name))).into();
        let [bass, drums] = [0, 1].map(|index: usize| streams[index].identity());
        let shown = |choice: &Choice| streams.iter().map(|stream| choice.shows(stream)).collect::<Vec<_>>();
        let mut choice = Choice::default();
        assert_eq!(shown(&choice), [true, true]);
        choice.hidden.insert(drums);
        assert_eq!(shown(&choice), [true, false]);
        choice.solo.insert(drums);
        assert_eq!(shown(&choice), [false, true]);
        choice.rename(bass.stream, " Low end ");
        assert_eq!(choice.name(&streams[0]), "Low end");
        assert!(matches(&streams[0], &choice, "low") && matches(&streams[0], &choice, "BASS"));
        assert!(!matches(&streams[0], &choice, "low drum"));
        choice.rename(bass.stream, "");
        assert_eq!(choice.name(&streams[0]), "Bass");
    }
}
