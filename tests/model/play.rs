//! What can happen: the work of the engine, the troubles it meets, and what people say.

use postbook::{
    channel::Settle,
    run::{Event, StepState, TransmissionState},
};
use stateright::{Model, Property};

use super::{
    law,
    world::{Attempt, Came, Doing, Duty, Word, World},
};

/// Faults in one play, whatever their kind.
const TROUBLES: u8 = 2;

/// Tries that a deferred or uncertain outcome gets.
const TRIES: u8 = 2;

/// Workers that a step may take down.
const DEATHS: u8 = 2;

/// The engine with an account that settles uncertain attempts as `settle` says, and perhaps a mistake.
#[derive(Debug, Clone)]
pub struct Play {
    pub settle: Settle,
    pub flaw: Option<Flaw>,
    /// How often people have a say.
    pub words: usize,
}

/// Mistakes one could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A claim does not ask whether the step is ready.
    ClaimWithoutFence,
    /// The sweeper has a lapsed attempt repeated and says nothing.
    SilentRepeat,
    /// An outcome is written whoever has the step by now.
    CommitWithoutLease,
    /// The attempt is written down together with its outcome.
    AttemptAfterSend,
    /// An outcome that comes late is written whatever the transmission has come to meanwhile.
    LateOverAll,
    /// A retry of what failed forgets that an earlier attempt may have arrived.
    ForgetfulRetry,
    /// A late outcome ends the doubt, although another attempt has arrived as well.
    ForgetfulLate,
    /// Nobody looks after steps whose hint got lost.
    NoReminder,
    /// What the far side never heard of is sent again, although a worker may still send it.
    AskWithoutPermit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    TakeHint(usize),
    Claim(usize),
    /// The far side gets a copy or does not, and the worker knows this much of it.
    Send(usize, bool, Came),
    Commit(usize),
    Wake(usize),
    /// A lease that lapsed is renewed by a worker that woke up before the sweeper came.
    Renew(usize),
    /// The lease runs out.
    Tick,
    /// The sweeper takes the step from whoever had it.
    Lapse,
    /// The sweeper gives a ready step a hint.
    Remind,
    Crash(usize),
    Pause(usize),
    LoseHint,
    DoubleHint,
    Say(Word),
    /// The far side is asked about the last attempt, and says whether it has it.
    Ask,
}

impl Play {
    /// What the engine has to do. None of it may be left undone for ever.
    pub fn work(&self, world: &World) -> Vec<Action> {
        let mut work = Vec::new();
        for (at, worker) in world.workers.iter().enumerate() {
            if worker.paused {
                work.push(Action::Wake(at));
                continue;
            }
            match worker.doing {
                Doing::Nothing if world.hints > 0 => work.push(Action::TakeHint(at)),
                Doing::Nothing => {}
                Doing::Told => work.push(Action::Claim(at)),
                Doing::Claimed(_) => work.extend(sends(at)),
                Doing::Sent(..) => work.push(Action::Commit(at)),
            }
            if world.step.lapsed && worker.lease() == Some(world.step.lease) {
                work.push(Action::Renew(at));
            }
        }
        let running = world.step.state == StepState::Running;
        if running && !world.step.lapsed && !world.is_kept() {
            work.push(Action::Tick);
        }
        if running && world.step.lapsed {
            work.push(Action::Lapse);
        }
        if world.transmission == TransmissionState::Uncertain && self.settle == Settle::Ask {
            work.push(Action::Ask);
        }
        if world.step.state == StepState::Ready && world.hints == 0 && self.flaw != Some(Flaw::NoReminder) {
            work.push(Action::Remind);
        }
        work
    }

    fn claim(&self, world: &mut World, at: usize) {
        let fenced = self.flaw != Some(Flaw::ClaimWithoutFence);
        world.workers[at].doing = Doing::Nothing;
        if fenced && world.step.state != StepState::Ready {
            return;
        }
        world.step.state = StepState::Running;
        world.step.lease += 1;
        world.step.lapsed = false;
        if world.transmission != TransmissionState::Queued && fenced {
            world.step.state = StepState::Skipped;
            return;
        }
        let duty = Duty { lease: world.step.lease, attempt: world.attempts.len() };
        world.workers[at].doing = Doing::Claimed(duty);
        match self.flaw {
            Some(Flaw::AttemptAfterSend) => {}
            Some(Flaw::ClaimWithoutFence) => open(world, TransmissionState::Sending),
            _ => {
                world.happens(Event::Claimed);
                let state = world.transmission;
                open(world, state);
            }
        }
    }

    fn commit(&self, world: &mut World, at: usize) {
        let Doing::Sent(duty, came) = world.workers[at].doing else { return };
        world.workers[at].doing = Doing::Nothing;
        let ours = world.step.state == StepState::Running && world.step.lease == duty.lease;
        if ours || self.flaw == Some(Flaw::CommitWithoutLease) {
            if self.flaw == Some(Flaw::AttemptAfterSend) {
                open(world, TransmissionState::Sending);
            }
            close(world, duty, came);
            self.verdict(world, came);
        } else {
            self.late(world, duty, came);
        }
    }

    /// What an outcome means for the transmission and its step.
    fn verdict(&self, world: &mut World, came: Came) {
        world.step.tries += 1;
        world.step.lapsed = false;
        let again = world.step.tries < TRIES;
        let repeat = came == Came::Lost && self.settle == Settle::Repeat;
        world.twice |= repeat;
        match came {
            Came::Deferred if !again => world.happens(Event::GivenUp),
            came => world.happens(came.into()),
        }
        if repeat && again {
            world.happens(Event::Repeated);
        }
        world.step.state = match world.transmission {
            TransmissionState::Queued => StepState::Ready,
            TransmissionState::Failed => StepState::Failed,
            _ => StepState::Done,
        };
        if world.step.state == StepState::Ready {
            world.step.deaths = 0;
        }
    }

    /// An outcome of a worker that has lost its claim is noted with its attempt, and settles the transmission when nobody
    /// has taken it up or settled it since.
    fn late(&self, world: &mut World, duty: Duty, came: Came) {
        if came == Came::Lost || world.attempts.get(duty.attempt) != Some(&Attempt::Lost) {
            return;
        }
        close(world, duty, came);
        let untouched = world.step.lease == duty.lease + 1 && world.step.state != StepState::Running;
        let open = matches!(world.transmission, TransmissionState::Uncertain | TransmissionState::Queued);
        if self.flaw == Some(Flaw::LateOverAll) {
            return world.happens(came.into());
        }
        if !untouched || !open {
            return;
        }
        if world.transmission == TransmissionState::Queued {
            // A repeat that has not begun is taken back.
            world.transmission = TransmissionState::Uncertain;
        }
        let forgetful = self.flaw == Some(Flaw::ForgetfulLate);
        let doubt =
            if forgetful { world.attempts.contains(&Attempt::Lost) } else { world.is_in_doubt(Some(duty.attempt)) };
        self.verdict(world, came);
        world.twice = doubt;
    }

    /// The sweeper takes a lapsed step from its worker.
    fn lapse(&self, world: &mut World) {
        let silent = self.flaw == Some(Flaw::SilentRepeat);
        let repeat = world.step.deaths + 1 < DEATHS && (self.settle == Settle::Repeat || silent);
        world.step.state = if repeat { StepState::Ready } else { StepState::Done };
        world.step.lease += 1;
        world.step.deaths += 1;
        world.step.lapsed = false;
        world.hints += u8::from(repeat);
        for attempt in world.attempts.iter_mut().filter(|attempt| **attempt == Attempt::Open) {
            *attempt = Attempt::Lost;
        }
        if world.transmission != TransmissionState::Sending {
            return;
        }
        world.happens(Event::Lost);
        if repeat {
            world.happens(Event::Repeated);
            world.twice |= !silent;
        }
    }

    /// What the far side has is delivered; what it never heard of is tried again while there are tries.
    fn ask(&self, world: &mut World) {
        let Some(last) = world.attempts.len().checked_sub(1) else { return };
        if world.landed & (1 << last) != 0 {
            world.attempts[last] = Attempt::Arrived;
            return world.happens(Event::Delivered);
        }
        world.attempts[last] = Attempt::Failed;
        world.step.tries += 1;
        if world.step.tries < TRIES {
            world.happens(Event::Deferred);
            world.step.state = StepState::Ready;
            world.step.deaths = 0;
        } else {
            world.happens(Event::GivenUp);
            world.step.state = StepState::Failed;
        }
    }

    /// Whether a worker sends that may have lost its claim: where the far side is asked, all depends on that.
    fn may_send(&self, world: &World, duty: Duty) -> bool {
        let holds = world.step.state == StepState::Running && world.step.lease == duty.lease && !world.step.lapsed;
        holds || self.settle != Settle::Ask || self.flaw == Some(Flaw::AskWithoutPermit)
    }

    fn say(&self, world: &mut World, word: Word) {
        world.said.push(word);
        match word {
            Word::Delivered => world.happens(Event::Delivered),
            Word::Failed => world.happens(Event::GivenUp),
            Word::Cancel => world.happens(Event::Cancelled),
            Word::Again => {
                world.twice = true;
                world.happens(Event::Repeated);
                ready(world);
            }
            Word::Retry => {
                world.twice |= self.flaw != Some(Flaw::ForgetfulRetry) && world.is_in_doubt(None);
                world.happens(Event::Retried);
                ready(world);
            }
        }
    }
}

/// What can come of a sending, with and without a copy at the far side.
fn sends(at: usize) -> [Action; 5] {
    let known = [(true, Came::Delivered), (false, Came::Deferred), (false, Came::Refused)];
    let lost = [(true, Came::Lost), (false, Came::Lost)];
    let [delivered, deferred, refused] = known.map(|(copy, came)| Action::Send(at, copy, came));
    let [arrived, gone] = lost.map(|(copy, came)| Action::Send(at, copy, came));
    [delivered, deferred, refused, arrived, gone]
}

fn open(world: &mut World, state: TransmissionState) {
    world.transmission = state;
    world.attempts.push(Attempt::Open);
}

fn close(world: &mut World, duty: Duty, came: Came) {
    if let Some(attempt) = world.attempts.get_mut(duty.attempt) {
        *attempt = match came {
            Came::Delivered => Attempt::Arrived,
            Came::Deferred | Came::Refused => Attempt::Failed,
            Came::Lost => Attempt::Lost,
        };
    }
}

/// The step is to be done again, with a fresh account of its tries.
fn ready(world: &mut World) {
    world.step.state = StepState::Ready;
    world.step.tries = 0;
    world.step.deaths = 0;
    world.hints += 1;
}

/// What people may say of a transmission in `state`.
fn words(state: TransmissionState) -> &'static [Word] {
    match state {
        TransmissionState::Uncertain => &[Word::Delivered, Word::Failed, Word::Again],
        TransmissionState::Failed => &[Word::Retry],
        TransmissionState::Queued => &[Word::Cancel],
        _ => &[],
    }
}

fn troubles(world: &World) -> Vec<Action> {
    let mut troubles = Vec::new();
    for (at, worker) in world.workers.iter().enumerate() {
        if worker.doing != Doing::Nothing {
            troubles.push(Action::Crash(at));
            troubles.extend((!worker.paused).then_some(Action::Pause(at)));
        }
    }
    if world.hints > 0 {
        troubles.extend([Action::LoseHint, Action::DoubleHint]);
    }
    troubles
}

impl Model for Play {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(TROUBLES)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend(self.work(world));
        if world.troubles > 0 {
            actions.extend(troubles(world));
        }
        if world.said.len() < self.words {
            actions.extend(words(world.transmission).iter().map(|word| Action::Say(*word)));
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::TakeHint(at) => {
                world.hints -= 1;
                let ready = world.step.state == StepState::Ready;
                world.workers[at].doing = if ready { Doing::Told } else { Doing::Nothing };
            }
            Action::Claim(at) => self.claim(&mut world, at),
            Action::Send(at, copy, came) => {
                let Doing::Claimed(duty) = world.workers[at].doing else { return None };
                if !self.may_send(&world, duty) {
                    world.workers[at].doing = Doing::Nothing;
                    return Some(world.sorted());
                }
                world.copies += u8::from(copy);
                world.landed |= u8::from(copy) << duty.attempt;
                world.workers[at].doing = Doing::Sent(duty, came);
            }
            Action::Commit(at) => self.commit(&mut world, at),
            Action::Wake(at) => world.workers[at].paused = false,
            Action::Renew(_) => world.step.lapsed = false,
            Action::Tick => world.step.lapsed = true,
            Action::Lapse => self.lapse(&mut world),
            Action::Remind => world.hints += 1,
            Action::Crash(at) => {
                world.workers[at].doing = Doing::Nothing;
                world.workers[at].paused = false;
            }
            Action::Pause(at) => world.workers[at].paused = true,
            Action::LoseHint => world.hints -= 1,
            Action::DoubleHint => world.hints += 1,
            Action::Say(word) => self.say(&mut world, word),
            Action::Ask => self.ask(&mut world),
        }
        let trouble = matches!(action, Action::Crash(_) | Action::Pause(_) | Action::LoseHint | Action::DoubleHint);
        world.troubles -= u8::from(trouble);
        Some(world.sorted())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        law::all()
    }
}
