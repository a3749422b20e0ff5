//! What must hold in every state, and what must happen in some.

use postbook::{channel::Settle, run::TransmissionState};
use stateright::Property;

use super::{
    play::Play,
    world::{Word, World},
};

pub const ADMITTED: &str = "what arrives twice is admitted";
pub const LEGAL: &str = "every move is one of the state machine's";
pub const RESTS: &str = "nothing comes to rest before it is settled or waits for a person";

pub fn all() -> Vec<Property<Play>> {
    vec![
        Property::<Play>::always(ADMITTED, |_, world| world.copies < 2 || world.twice),
        Property::<Play>::always("unless it is repeated, a second copy needs a person", |play, world| {
            play.settle == Settle::Repeat || world.copies < 2 || said(world, &[Word::Again, Word::Retry])
        }),
        Property::<Play>::always("what is booked as delivered has arrived", |_, world| {
            world.transmission != TransmissionState::Delivered || world.copies > 0 || said(world, &[Word::Delivered])
        }),
        Property::<Play>::always("what has arrived is booked as failed only in doubt or by a person", |_, world| {
            let denied = matches!(world.transmission, TransmissionState::Failed | TransmissionState::Cancelled);
            !denied || world.copies == 0 || world.twice || said(world, &[Word::Failed])
        }),
        Property::<Play>::always("no copy without an attempt", |_, world| {
            usize::from(world.copies) <= world.attempts.len()
        }),
        Property::<Play>::always(LEGAL, |_, world| !world.illegal),
        Property::<Play>::always(RESTS, |play, world| !play.work(world).is_empty() || world.is_settled()),
        Property::<Play>::sometimes("two copies arrive", |_, world| world.copies == 2),
        Property::<Play>::sometimes("a person is asked", |_, world| world.transmission == TransmissionState::Uncertain),
        Property::<Play>::sometimes("it is delivered by the second worker", |play, world| {
            play.settle != Settle::Repeat
                || world.step.deaths == 1
                    && world.attempts.len() == 2
                    && world.transmission == TransmissionState::Delivered
                    && world.said.is_empty()
        }),
        Property::<Play>::sometimes("a late outcome settles what was uncertain", |play, world| {
            play.settle == Settle::Repeat
                || world.step.deaths == 1 && world.transmission == TransmissionState::Delivered && world.said.is_empty()
        }),
    ]
}

fn said(world: &World, words: &[Word]) -> bool {
    world.said.iter().any(|word| words.contains(word))
}
