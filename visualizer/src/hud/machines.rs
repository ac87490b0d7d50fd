//! The name of each machine, behind the first of its streams. With one machine alone there is nothing to tell apart.

use std::collections::BTreeMap;

use bevy::prelude::*;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::units::MachineId;

use super::panel::{self, Panel};
use super::{Typeface, set, show};
use crate::layout::{Slot, TILE};
use crate::stream::Stream;
use crate::theme::Tint;

/// The height of the header, in pixels.
const HEADER: f32 = 46.0;

/// The name of a machine.
#[derive(Component, Debug)]
pub struct Caption(MachineId);

/// Where a caption of this `size` stands: left of the corner at `foot`, or, where there is no room from `left` on, above what rises from
/// there to `peak`. Never over the header.
fn beside(foot: Vec2, peak: Vec2, size: Vec2, left: f32) -> Vec2 {
    let aside = Vec2::new(foot.x - size.x - 8.0, foot.y - size.y);
    let above = Vec2::new(foot.x, peak.y - size.y);
    let at = if aside.x >= left + 4.0 { aside } else { above };
    at.max(Vec2::new(left + 4.0, HEADER))
}

/// Gives each machine its name, and keeps it in its place.
pub fn update(
    mut commands: Commands<'_, '_>,
    typeface: Res<'_, Typeface>,
    camera: Single<'_, '_, (&Camera, &Transform)>,
    streams: Query<'_, '_, (&Stream, &Slot, &Transform, &Visibility), Without<Camera>>,
    panel: Single<'_, '_, &Node, (With<Panel>, Without<Caption>)>,
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
        let corner = |height| camera.world_to_viewport(&view, place + Vec3::new(0.0, height, -TILE.z)).ok();
        let corners = corner(0.0).zip(corner(TILE.y));
        show(&mut node, corners.is_some());
        let Some((foot, peak)) = corners else { continue };
        let room = if panel.display == Display::None { 0.0 } else { panel::WIDTH + 16.0 };
        let at = beside(foot, peak, size.size() * size.inverse_scale_factor(), room);
        let (left, top) = (px(at.x.round()), px(at.y.round()));
        if (node.left, node.top) != (left, top) {
            (node.left, node.top) = (left, top);
        }
    }
    for (machine, (.., name)) in machines {
        let node = Node { position_type: PositionType::Absolute, display: Display::None, ..default() };
        commands.spawn((Caption(machine), node, typeface.text(name, 15.0, Tint::Dim)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_lies_over_no_terrain_and_not_over_the_header() {
        let size = Vec2::new(60.0, 18.0);
        assert_eq!(beside(Vec2::new(200.0, 150.0), Vec2::new(200.0, 120.0), size, 0.0), Vec2::new(132.0, 132.0));
        assert_eq!(
            beside(Vec2::new(40.0, 150.0), Vec2::new(40.0, 120.0), size, 0.0),
            Vec2::new(40.0, 102.0),
            "no room at its side"
        );
        assert_eq!(
            beside(Vec2::new(330.0, 150.0), Vec2::new(330.0, 120.0), size, 308.0),
            Vec2::new(330.0, 102.0),
            "nor beside the panel"
        );
        assert_eq!(beside(Vec2::new(200.0, 60.0), Vec2::new(200.0, 30.0), size, 0.0).y, HEADER);
    }
}
