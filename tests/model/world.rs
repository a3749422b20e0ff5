//! What there is: the rows, the queue, the far side, and what each worker has in hand.

use postbook::run::{Event, StepState, TransmissionState};

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub step: Step,
    pub transmission: TransmissionState,
    /// The book says that it may have arrived twice.
    pub twice: bool,
    pub attempts: Vec<Attempt>,
    /// Jobs of the queue that point to the step.
    pub hints: u8,
    pub workers: [Worker; 2],
    /// What the far side has.
    pub copies: u8,
    /// By which attempts it has them, a bit each.
    pub landed: u8,
    /// How many more faults there will be.
    pub troubles: u8,
    /// What people have said so far.
    pub said: Vec<Word>,
    /// A move was made that the engine's state machine does not know.
    pub illegal: bool,
}

/// The step's row. Time is only what it means to the lease, which is the database's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    pub state: StepState,
    pub lease: u8,
    /// The lease has run out.
    pub lapsed: bool,
    pub tries: u8,
    pub deaths: u8,
}

/// An attempt's row: of its outcome, only whether it is there and what it says of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attempt {
    Open,
    Arrived,
    Failed,
    Lost,
}

/// A worker. One that is paused does nothing, and its lease is not renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker {
    pub doing: Doing,
    pub paused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doing {
    Nothing,
    /// It has a hint, and has seen the step ready.
    Told,
    /// Its claim, and the attempt that it makes, are in the book; nothing is sent yet.
    Claimed(Duty),
    /// It knows what came of the attempt; the book does not.
    Sent(Duty, Came),
}

/// What came of a sending, as far as the worker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Came {
    Delivered,
    Deferred,
    Refused,
    Lost,
}

/// A claim, and the place of its attempt among the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duty {
    pub lease: u8,
    pub attempt: usize,
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    Delivered,
    Failed,
    Again,
    Retry,
    Cancel,
}

impl World {
    /// A step that was just added, with its hint.
    pub fn new(troubles: u8) -> Self {
        let worker = Worker { doing: Doing::Nothing, paused: false };
        Self {
            step: Step { state: StepState::Ready, lease: 0, lapsed: false, tries: 0, deaths: 0 },
            transmission: TransmissionState::Queued,
            twice: false,
            attempts: Vec::new(),
            hints: 1,
            workers: [worker; 2],
            copies: 0,
            landed: 0,
            troubles,
            said: Vec::new(),
            illegal: false,
        }
    }

    /// Whether an attempt other than the one at `but` has or may have arrived.
    pub fn is_in_doubt(&self, but: Option<usize>) -> bool {
        let arrived = |attempt: &Attempt| matches!(attempt, Attempt::Arrived | Attempt::Lost);
        self.attempts.iter().enumerate().any(|(at, attempt)| Some(at) != but && arrived(attempt))
    }

    /// The same world, in which it does not matter which worker is which, nor what was said first.
    pub fn sorted(mut self) -> Self {
        self.workers.sort();
        self.said.sort();
        self
    }

    /// Moves the transmission as the engine's state machine has it.
    pub fn happens(&mut self, event: Event) {
        match self.transmission.after(event) {
            Some(state) => self.transmission = state,
            None => self.illegal = true,
        }
    }

    /// Whether a worker that is awake keeps the step's lease from running out.
    pub fn is_kept(&self) -> bool {
        self.workers.iter().any(|worker| !worker.paused && worker.lease() == Some(self.step.lease))
    }

    /// Whether nothing more has to happen: settled, or a matter for a person.
    pub fn is_settled(&self) -> bool {
        self.transmission.is_settled()
            && matches!(self.step.state, StepState::Done | StepState::Failed | StepState::Skipped)
            && !self.attempts.contains(&Attempt::Open)
            && self.workers.iter().all(|worker| worker.doing == Doing::Nothing)
    }
}

impl From<Came> for Event {
    fn from(came: Came) -> Self {
        match came {
            Came::Delivered => Self::Delivered,
            Came::Deferred => Self::Deferred,
            Came::Refused => Self::Refused,
            Came::Lost => Self::Lost,
        }
    }
}

impl Worker {
    /// The lease it believes to have.
    pub fn lease(&self) -> Option<u8> {
        match self.doing {
            Doing::Claimed(duty) | Doing::Sent(duty, _) => Some(duty.lease),
            Doing::Nothing | Doing::Told => None,
        }
    }
}
