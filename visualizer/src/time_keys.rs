//! The keys that move time: in a live view through what was, in a replay through the recording.

use bevy::prelude::*;

use crate::deck::Deck;
use crate::moment::Moment;

/// How far a key moves time, in seconds: held down, per second; pressed; with Shift, pressed.
const GLIDE: f64 = 6.0;
const STEP: f64 = 1.0;
const FINE: f64 = 0.1;
const PAGE: f64 = 10.0;
/// How long a key is held until it glides, in seconds.
const UNTIL_GLIDE: f32 = 0.35;

/// Moves time as the keys say.
pub fn steer(
    keys: Res<'_, ButtonInput<KeyCode>>,
    time: Res<'_, Time<Real>>,
    mut moment: ResMut<'_, Moment>,
    mut deck: Option<ResMut<'_, Deck>>,
    mut held: Local<'_, f32>,
) {
    if keys.just_pressed(KeyCode::Space) {
        match &mut deck {
            Some(deck) => deck.toggle(),
            None => moment.toggle(),
        }
    }
    if keys.any_just_pressed([KeyCode::End, KeyCode::KeyL]) {
        match &mut deck {
            Some(deck) => deck.seek(f64::MAX),
            None => moment.follow(),
        }
    }
    if keys.just_pressed(KeyCode::Home) {
        match &mut deck {
            Some(deck) => deck.seek(0.0),
            None => moment.hold(crate::history::SECONDS),
        }
    }
    // With Ctrl these keys turn the picture.
    if keys.any_pressed([KeyCode::ControlLeft, KeyCode::ControlRight]) {
        return;
    }
    let by = |pressed: &dyn Fn(KeyCode) -> bool, earlier, later| f64::from(pressed(later)) - f64::from(pressed(earlier));
    let pressed = |key| keys.pressed(key);
    let just = |key| keys.just_pressed(key);
    let arrows = by(&pressed, KeyCode::ArrowLeft, KeyCode::ArrowRight);
    *held = if arrows == 0.0 { 0.0 } else { *held + time.delta_secs() };
    let fine = keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
    let step = by(&just, KeyCode::ArrowLeft, KeyCode::ArrowRight) * if fine { FINE } else { STEP };
    let glide = if *held > UNTIL_GLIDE && !fine { arrows * GLIDE * f64::from(time.delta_secs()) } else { 0.0 };
    let seconds = step + glide + by(&just, KeyCode::PageUp, KeyCode::PageDown) * PAGE;
    if seconds != 0.0 {
        scrub(seconds, &mut moment, deck.as_deref_mut());
    }
    if let Some(deck) = &mut deck {
        if keys.just_pressed(KeyCode::ArrowUp) {
            deck.shift(true);
        }
        if keys.just_pressed(KeyCode::ArrowDown) {
            deck.shift(false);
        }
        if keys.just_pressed(KeyCode::KeyR) {
            deck.repeat();
        }
    }
}

fn scrub(seconds: f64, moment: &mut Moment, deck: Option<&mut Deck>) {
    match deck {
        Some(deck) => {
            let to = deck.at() + seconds;
            deck.seek(to);
        }
        None => {
            if moment.is_live() {
                moment.toggle();
            }
            moment.scrub(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bevy::time::TimeUpdateStrategy;

    use super::*;

    fn app() -> App {
        let mut app = App::new();
        app.add_plugins(MinimalPlugins)
            .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_millis(100)))
            .init_resource::<ButtonInput<KeyCode>>()
            .init_resource::<Moment>()
            .add_systems(
                Update,
                (steer, |time: Res<'_, Time<Real>>, mut moment: ResMut<'_, Moment>| {
                    moment.advance(time.delta_secs(), 1.0);
                })
                    .chain(),
            );
        (0..100).for_each(|_| app.update());
        app
    }

    /// Holds keys for some updates, and tells how far behind the picture is then, in tenths of a second.
    fn hold(app: &mut App, keys: &[KeyCode], updates: usize) -> i64 {
        let mut input = app.world_mut().resource_mut::<ButtonInput<KeyCode>>();
        keys.iter().for_each(|key| input.press(*key));
        for _ in 0..updates {
            app.update();
            app.world_mut().resource_mut::<ButtonInput<KeyCode>>().clear();
        }
        app.world_mut().resource_mut::<ButtonInput<KeyCode>>().reset_all();
        (app.world().resource::<Moment>().behind() * 10.0).round() as i64
    }

    #[test]
    fn keys_stop_time_move_it_and_lead_back() {
        let mut app = app();
        assert_eq!(hold(&mut app, &[KeyCode::Space], 5), 5);
        assert_eq!(hold(&mut app, &[KeyCode::ArrowLeft], 1), 16);
        assert_eq!(hold(&mut app, &[KeyCode::ShiftLeft, KeyCode::ArrowRight], 1), 16, "0.1 s later, while 0.1 s passed");
        assert_eq!(hold(&mut app, &[KeyCode::Space], 5), 16, "it goes on, as late as it is");
        assert_eq!(hold(&mut app, &[KeyCode::KeyL], 3), 0);
    }

    #[test]
    fn an_arrow_that_is_held_glides_and_one_with_ctrl_moves_no_time() {
        let mut app = app();
        let glided = hold(&mut app, &[KeyCode::ArrowLeft], 12);
        assert!(glided > 40, "{glided}");
        hold(&mut app, &[KeyCode::KeyL], 1);
        assert_eq!(hold(&mut app, &[KeyCode::ControlLeft, KeyCode::ArrowLeft], 3), 0);
    }

    #[test]
    fn the_keys_of_a_replay_move_its_deck() {
        let mut app = app();
        app.insert_resource(Deck::bare(100.0, false));
        let at = |app: &App| app.world().resource::<Deck>().at();
        hold(&mut app, &[KeyCode::PageDown], 1);
        hold(&mut app, &[KeyCode::ArrowRight], 1);
        assert_eq!(at(&app), 11.0);
        hold(&mut app, &[KeyCode::Space, KeyCode::ArrowUp, KeyCode::KeyR], 1);
        let deck = app.world().resource::<Deck>();
        assert_eq!((deck.stands(), deck.speed(), deck.repeats()), (true, 2.0, true));
        hold(&mut app, &[KeyCode::End], 1);
        assert_eq!(at(&app), 100.0);
        hold(&mut app, &[KeyCode::Home], 1);
        assert_eq!((at(&app), app.world().resource::<Moment>().is_live()), (0.0, true));
    }
}
