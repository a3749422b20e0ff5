//! Whether any state comes back. Where none does, and nothing rests unsettled, everything is settled in the end.

use std::collections::HashMap;

use stateright::Model;

use super::{play::Play, world::World};

/// Whether a state is on the way that is being walked; the others have been left behind.
type OnTheWay = bool;

/// A state that can be reached from itself, if there is one.
pub fn circle(play: &Play) -> Option<World> {
    let mut seen: HashMap<World, OnTheWay> = HashMap::new();
    let mut way: Vec<(World, Vec<World>)> = Vec::new();
    let mut next = play.init_states();
    loop {
        match next.pop() {
            Some(world) => match seen.get(&world) {
                Some(true) => return Some(world),
                Some(false) => {}
                None => {
                    seen.insert(world.clone(), true);
                    let after = play.next_states(&world);
                    way.push((world, std::mem::replace(&mut next, after)));
                }
            },
            None => {
                let (left, rest) = way.pop()?;
                seen.insert(left, false);
                next = rest;
            }
        }
    }
}
