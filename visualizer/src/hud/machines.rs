//! The name of each machine, behind the first of its streams. With one machine alone there is nothing to tell apart.

use std::collections::BTreeMap;

use bevy::prelude::*;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::units::MachineId;

use super::{Typeface, set, show};
use crate::layout::{Slot, TILE};
use crate::stream::Stream;
use crate::theme::Tint;

/// The name of a machine.
#[derive(Component, Debug)]
pub struct Caption(MachineId);

/// Gives each machine its name, and keeps it in its place.
pub fn update(
    mut commands: Commands<'_, '_>,
    typeface: Res<'_, Typeface>,
    camera: Single<'_, '_, (&Camera, &Transform)>,
    streams: Query<'_, '_, (&Stream, &Slot, &Transform, &Visibility), Without<Camera>>,
    mut captions: Query<'_, '_, (Entity, &Caption, &mut Node, &mut Text, &ComputedNode)>,
) {
    let mut machines: BTreeMap<MachineId, (Slot, Vec3, &str)> = BTreeMap::new();
    for (stream, slot, place, _) in streams.iter().filter(|(.., visibility)| **visibility != Visibility::Hidden) {
        let name = stream.description.property(PropertyKey::MACHINE);
        let first = machines.entry(stream.description.machine).or_insert((*slot, place.translation, name));
        if *slot < first.0 {
            *first = (*slot, place.translation, name);
        }
    }
    if machines.len() < 2 {
        machines.clear();
    }
    let (camera, view) = *camera;
    let view = GlobalTransform::from(*view);
    for (entity, caption, mut node, mut text, size) in &mut captions {
        let Some((_, place, name)) = machines.remove(&caption.0) else {
            commands.entity(entity).despawn();
            continue;
        };
        set(&mut text, name);
        let Ok(at) = camera.world_to_viewport(&view, place + Vec3::new(0.0, 0.0, -TILE.z)) else {
            show(&mut node, false);
            continue;
        };
        show(&mut node, true);
        let size = size.size() * size.inverse_scale_factor();
        let (left, top) = (px((at.x - size.x - 8.0).max(4.0).round()), px((at.y - size.y).round()));
        if (node.left, node.top) != (left, top) {
            (node.left, node.top) = (left, top);
        }
    }
    for (machine, (.., name)) in machines {
        let node = Node { position_type: PositionType::Absolute, display: Display::None, ..default() };
        commands.spawn((Caption(machine), node, typeface.text(name, 15.0, Tint::Dim)));
    }
}
