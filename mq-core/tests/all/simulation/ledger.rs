//! What was published, confirmed, delivered and settled, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The queues of a simulation: see [`super::queues::declare`].
pub(super) const QUEUES: [&str; 14] = [
    "plain", "short", "strict", "dying", "dead", "bound", "cycle", "requests", "ranked", SINGLE,
    "late", "ruled", CHOSEN, ROUND,
];

/// The queue that is its own dead-letter target, and whose messages die soon: each goes round
/// once at the most, and then is gone.
pub(super) const ROUND: &str = "round";

/// The queue whose consumers want some messages only.
pub(super) const CHOSEN: &str = "chosen";

/// The queue with a single active consumer.
pub(super) const SINGLE: &str = "single";

/// Deliveries that a consumer of any queue holds at the most.
pub(super) const PREFETCH: usize = 4;

/// How long a message lives in the queue `dying`.
pub(super) const TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// The consumers of direct replies, together.
pub(super) const REPLIES: Place = "replies";

/// The members of the shared subscription, together.
pub(super) const SHARED: Place = "shared";

/// The highest priority in the queue `ranked`.
pub(super) const RANKS: u64 = 4;

/// How long messages for the queue `late` wait.
pub(super) const DELAYS: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(700),
    Duration::from_millis(1_500),
];

/// The same for MQTT, which counts in seconds.
pub(super) const DELAYED_PUBLISH: Duration = Duration::from_secs(1);

/// The publisher of wills.
const WILLS: u8 = 250;

/// How long after the end of a connection its will is due.
pub(super) const WILL_DELAY: Duration = Duration::from_secs(1);

/// Retained messages that are there from the beginning.
pub(super) const RETAINED: u64 = 20;

/// Where a copy of a message may be: a queue, or an MQTT session by its client identifier.
pub(super) type Place = &'static str;

/// A topic of retained messages that one publisher alone has, and its number.
pub(super) type Topic = (u8, u8);

/// What an application is asked to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// A message for the sessions, with a second to live.
    Expiring,
    /// The same without end.
    Lasting,
    /// The same with QoS 2, where the protocol has that.
    Once,
    /// A message for a member of the shared subscription.
    Shared,
    /// Two messages in a transaction, which is committed.
    Together,
    /// The same with more than the queue `strict` has room for.
    Overfill,
    /// A message for the queue `strict`.
    Strict,
    /// A message is taken from there, and held.
    Take,
    /// All that is held is given back.
    GiveBack,
    /// A message for the queue `round`.
    Round,
    /// A request, with a direct reply-to.
    Request,
    /// Requests are answered from now on.
    Serve,
    /// A message for the queue with priorities.
    Ranked,
    /// A message for the queue with a single active consumer, and a consumer of it.
    Single,
    /// A message that waits for its time before it comes to the queue `late`.
    Late { slot: u8 },
    /// A message for the queue whose policy changes.
    Ruled,
    /// A message to be retained under one of the publisher's topics.
    Retained { slot: u8, expires: bool },
    /// That nothing is to be retained under that topic any more.
    Cleared { slot: u8 },
    /// The client says goodbye, so that its will is void.
    Part,
    /// The client gives up its session when it connects next.
    Forget,
}

/// How long what expires has to live.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(1);

/// How many messages may be retained: few more than there are from the beginning.
pub(super) const MOST_RETAINED: usize = RETAINED as usize + 3;

/// What the broker said of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing yet; nothing follows.
    Unknown,
    /// It has it.
    Confirmed,
    /// It does not have it.
    Refused,
}

#[derive(Debug)]
struct Sent {
    /// A publisher whose messages keep their order.
    publisher: u8,
    outcome: Outcome,
    places: Vec<Place>,
    /// It was published again over another connection, which QoS 1 allows: there may be
    /// more than one copy of it, and it may come after later ones.
    again: usize,
    /// When it was published last.
    last: u64,
    /// The connection that a direct reply is for, by its client and how many that had before.
    requester: Option<(u8, u32)>,
    /// It may be dropped when this time has passed since it was confirmed.
    expiry: Option<Duration>,
    confirmed: Duration,
    published: Duration,
    tick: u64,
    /// The tick of its answer.
    answered: Option<u64>,
    /// Sessions that may have had no room for it.
    crowded: BTreeSet<Place>,
    /// Sessions that had a later one of its publisher while it had time to live.
    overtaken: BTreeSet<Place>,
    /// The topic under which it is to be retained.
    topic: Option<Topic>,
    /// It says that nothing is to be retained under its topic.
    clears: bool,
    /// There may have been no room to retain it.
    is_beyond: bool,
    /// It does not come before that.
    due: Option<Duration>,
    /// How long it waits before it comes.
    delay: Option<Duration>,
    /// The member of the shared subscription that has it.
    member: Option<u8>,
}

/// A copy of a message in one place, as its consumers saw it.
#[derive(Debug, Default)]
struct Copy {
    deliveries: u32,
    /// When it came first.
    first: u64,
    settled: Settled,
    present: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Settled {
    #[default]
    No,
    /// An acknowledgement was sent; it may not have arrived.
    Perhaps,
    Certainly,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What the clock says.
    now: Duration,
    /// The latest that it has said: it may have jumped back since.
    latest: Duration,
    /// Counts what happens.
    tick: u64,
    /// How many messages wait in one session at the most.
    pub(super) session_messages: usize,
    sent: BTreeMap<u64, Sent>,
    copies: BTreeMap<(Place, u64), Copy>,
    /// Sessions whose subscription was granted.
    subscribed: BTreeSet<Place>,
    /// When each session asked for it first.
    asked: BTreeMap<Place, u64>,
    /// Sessions at which a QoS 2 message must arrive once.
    exactly_once: BTreeSet<(Place, u64)>,
    rejected: BTreeSet<(Place, u64)>,
    /// How many connections each client has lost.
    lost: BTreeMap<u8, u32>,
    /// What was published to be retained under each topic, in that order.
    topics: BTreeMap<Topic, Vec<u64>>,
    /// When the connection that was lost last was over for the broker.
    pub(super) left: Duration,
    /// Nothing was lost in the last crash: all had been stored.
    pub(super) all_stored: bool,
    /// Those who have the shared subscription.
    members: BTreeSet<u8>,
    /// One of them has given up its session: what that had is for another.
    members_change: bool,
    /// The client that the queue `single` delivers to.
    active: Option<u8>,
}

impl Ledger {
    pub(super) fn set_time(&mut self, now: Duration) {
        if now < self.now {
            // What the broker has not said to have may be sent again, by the clock that was
            // set back.
            for sent in self.sent.values_mut() {
                if let Some(delay) = sent.delay
                    && sent.outcome != Outcome::Confirmed
                {
                    sent.due = sent.due.min(Some(now + delay));
                }
            }
        }
        self.now = now;
        self.latest = self.latest.max(now);
    }

    /// The latest time that there has been.
    pub(super) fn latest(&self) -> Duration {
        self.latest
    }

    /// A member of the shared subscription has its subscription.
    pub(super) fn joined(&mut self, member: u8) {
        self.members.insert(member);
    }

    /// A member gives up its session, unless it is the only one. Returns whether it does.
    pub(super) fn leaves(&mut self, member: u8) -> bool {
        let may = self.members.iter().any(|other| *other != member);
        if may {
            self.members.remove(&member);
            self.members_change = true;
        }
        may
    }

    /// A new message for a member of the shared subscription.
    pub(super) fn for_share(&mut self, publisher: u8) -> u64 {
        // Which session was full is not followed here.
        let is_sure = self.session_messages >= 100_000 && !self.members.is_empty();
        let places = is_sure.then_some(SHARED);
        self.publish(publisher, places.into_iter().collect())
    }

    /// A message came to a member of the shared subscription: no other has it.
    pub(super) fn shared(&mut self, number: u64, member: u8) {
        let sent = self.sent.get_mut(&number).unwrap();
        let first = *sent.member.get_or_insert(member);
        let is_one = first == member || sent.again > 0 || self.members_change;
        assert!(is_one, "{number} is for {first}, and {member} has it too");
    }

    /// The queue with a single active consumer delivers to a client.
    pub(super) fn active(&mut self, client: u8) {
        let active = *self.active.get_or_insert(client);
        assert_eq!(active, client, "the queue has another active consumer");
    }

    /// The connection of a client is over for the broker: others become active.
    pub(super) fn inactive(&mut self, client: u8) {
        self.active.take_if(|active| *active == client);
    }

    /// A new will. It is published when its connection is gone for long enough.
    pub(super) fn will(&mut self) -> u64 {
        let number = self.publish(WILLS, vec!["bound"]);
        self.sent.get_mut(&number).unwrap().due = Some(Duration::MAX);
        number
    }

    /// The connection of a will is gone since then, or later.
    pub(super) fn will_left(&mut self, number: u64, earliest: Duration) {
        let due = earliest.saturating_add(WILL_DELAY);
        let sent = self.sent.get_mut(&number).unwrap();
        sent.due = sent.due.min(Some(due));
    }

    /// That the connections of wills are gone may not be stored: then it counts from here on,
    /// also by a clock that was set back.
    pub(super) fn wills_left(&mut self, now: Duration) {
        let due = Some(now.saturating_add(WILL_DELAY));
        for sent in self.sent.values_mut() {
            if sent.delay.is_none() && sent.due.is_some_and(|due| due < Duration::MAX) {
                sent.due = sent.due.min(due);
            }
        }
    }

    /// What is ready in the queue `ranked` comes by priority.
    pub(super) fn check_ranks(found: &[u64]) {
        let is_sorted = found.is_sorted_by(|a, b| a % RANKS >= b % RANKS);
        assert!(is_sorted, "{found:?} do not come by priority");
    }

    /// A new message for one queue; its number.
    pub(super) fn for_queue(&mut self, publisher: u8, queue: Place) -> u64 {
        self.publish(publisher, vec![queue])
    }

    /// A new message for the queue `late`, which comes after a time and so many times again.
    pub(super) fn for_later(&mut self, publisher: u8, delay: Duration, repeats: usize) -> u64 {
        let number = self.publish(publisher, vec!["late"]);
        let due = self.now + delay;
        let sent = self.sent.get_mut(&number).unwrap();
        sent.delay = Some(delay);
        sent.due = Some(due);
        sent.again = repeats;
        number
    }

    /// The broker says that it has no room for a message of QoS 1.
    pub(super) fn not_taken(&mut self, number: u64) {
        match self.sent[&number].delay {
            Some(_) => self.answered(number, Outcome::Refused),
            None => self.not_retained(number),
        }
    }

    /// A new message under a topic that the queue `bound` and all sessions want.
    pub(super) fn for_topic(
        &mut self,
        publisher: u8,
        exactly_once: bool,
        expiry: Option<Duration>,
    ) -> u64 {
        let places = self.subscribed.iter().copied().chain(["bound"]).collect();
        let number = self.publish(publisher, places);
        let sent = self.sent.get_mut(&number).unwrap();
        sent.expiry = expiry;
        if exactly_once {
            let sessions = self.subscribed.iter().map(|place| (*place, number));
            self.exactly_once.extend(sessions);
        }
        number
    }

    /// A new message to be retained, which no session and no queue wants.
    pub(super) fn for_retaining(&mut self, topic: Topic, expiry: Option<Duration>) -> u64 {
        let number = self.publish(topic.0, Vec::new());
        self.topics.entry(topic).or_default().push(number);
        let sent = self.sent.get_mut(&number).unwrap();
        sent.topic = Some(topic);
        sent.expiry = expiry;
        number
    }

    /// A new message that clears a topic.
    pub(super) fn for_clearing(&mut self, topic: Topic) -> u64 {
        let number = self.for_retaining(topic, None);
        self.sent.get_mut(&number).unwrap().clears = true;
        number
    }

    /// How many messages under other topics may have been retained when this one came.
    fn retained_beside(&self, number: u64) -> usize {
        let own = &self.sent[&number];
        // Whether the last under a topic was not there, and so none before it.
        let is_gone = |sent: &Sent| match sent.outcome {
            Outcome::Unknown => false,
            Outcome::Refused => sent.answered < Some(own.tick),
            Outcome::Confirmed if sent.clears => sent.answered < Some(own.tick),
            Outcome::Confirmed => sent
                .expiry
                .is_some_and(|time| sent.confirmed + time <= own.published),
        };
        let others = self.topics.iter().filter(|(topic, numbers)| {
            let last = &self.sent[&numbers[numbers.len() - 1]];
            own.topic != Some(**topic) && !is_gone(last)
        });
        RETAINED as usize + others.count()
    }

    /// The broker says that it has no room to retain a message.
    fn not_retained(&mut self, number: u64) {
        let beside = self.retained_beside(number);
        let sent = self.sent.get_mut(&number).unwrap();
        let is_right = beside >= MOST_RETAINED || sent.again > 0;
        assert!(
            is_right,
            "no room for {number}, with {beside} retained at the most"
        );
        sent.outcome = Outcome::Refused;
        sent.answered = Some(self.tick);
    }

    /// What is retained in the end, by topic.
    pub(super) fn check_retained(&self, found: &BTreeMap<Topic, u64>) {
        for (topic, numbers) in &self.topics {
            let last = numbers[numbers.len() - 1];
            let sent = &self.sent[&last];
            // One that was sent again may have come after the last.
            let is_sure = numbers.iter().all(|number| self.sent[number].again == 0);
            let age = |since| self.now.saturating_sub(since);
            // It may have been over before the clock jumped back.
            let oldest = self.latest.saturating_sub(sent.published);
            match found.get(topic) {
                Some(number) => {
                    assert!(
                        !is_sure || *number == last,
                        "{topic:?}: {number}, not {last}"
                    );
                    let sent = &self.sent[number];
                    assert!(!sent.clears, "{topic:?} was cleared");
                    let over = sent.expiry.is_some_and(|time| age(sent.confirmed) > time);
                    assert!(!over, "{number} is retained beyond its time");
                }
                None => {
                    let over = sent.expiry.is_some_and(|time| oldest >= time);
                    let excused = over || !is_sure || sent.is_beyond || sent.clears;
                    assert!(
                        excused || sent.outcome != Outcome::Confirmed,
                        "{last} was confirmed, and is not retained"
                    );
                }
            }
        }
    }

    /// Messages that a session may have had to keep beside this one, between its publish and
    /// now.
    fn beside(&self, session: Place, number: u64) -> usize {
        let own = &self.sent[&number];
        let passed = self.passed(session, own.tick);
        let others = self.sent.iter().map(|(other, sent)| {
            if *other == number {
                return sent.again;
            }
            let expired = sent.outcome == Outcome::Confirmed
                && sent
                    .expiry
                    .is_some_and(|time| sent.confirmed + time <= own.published);
            // The broker subscribes the session before the client knows.
            let early = sent.places.contains(&"bound")
                && sent.answered.is_none_or(|tick| tick >= self.asked[session]);
            let line = (sent.publisher, self.is_once(session, *other));
            let is_past = passed.get(&line).is_some_and(|tick| *tick > sent.last);
            if expired || is_past || !(sent.places.contains(&session) || early) {
                return 0;
            }
            let delivered = self.copies.get(&(session, *other));
            let was_there = delivered.is_none_or(|copy| copy.first > own.tick);
            // Each time that it was published again may have made one copy more.
            usize::from(was_there) + sent.again
        });
        others.sum()
    }

    /// How far a session had come by then: of each publisher and QoS the last publish that
    /// had arrived. What came to the session before that is not there any more.
    fn passed(&self, session: Place, tick: u64) -> BTreeMap<(u8, bool), u64> {
        let mut passed = BTreeMap::new();
        for ((_, number), copy) in self.copies.range((session, 0)..=(session, u64::MAX)) {
            let sent = &self.sent[number];
            if copy.first <= tick && sent.again == 0 {
                let line = (sent.publisher, self.is_once(session, *number));
                let last = passed.entry(line).or_default();
                *last = sent.tick.max(*last);
            }
        }
        passed
    }

    fn is_once(&self, session: Place, number: u64) -> bool {
        self.exactly_once.contains(&(session, number))
    }

    /// A new message in answer to a request that came with a direct reply-to.
    pub(super) fn reply_to(&mut self, publisher: u8, request: u64) -> u64 {
        let requester = self.sent[&request].requester;
        let number = self.publish(publisher, vec![REPLIES]);
        self.sent.get_mut(&number).unwrap().requester = requester;
        number
    }

    /// A new request, to be answered on the connection that its client has now.
    pub(super) fn request(&mut self, client: u8) -> u64 {
        let number = self.publish(client, vec!["requests"]);
        let lost = self.lost.get(&client).copied().unwrap_or_default();
        self.sent.get_mut(&number).unwrap().requester = Some((client, lost));
        number
    }

    /// A client's connection is gone, and direct replies on their way to it.
    pub(super) fn disconnected(&mut self, client: u8) {
        self.inactive(client);
        *self.lost.entry(client).or_default() += 1;
    }

    /// A retained message that the broker has.
    pub(super) fn retained(&mut self) -> u64 {
        let number = self.publish(u8::MAX, Vec::new());
        self.answered(number, Outcome::Confirmed);
        number
    }

    /// A session has subscribed to the retained messages, the first that there were.
    pub(super) fn wants_retained(&mut self, session: Place) {
        for sent in self.sent.values_mut().take(RETAINED as usize) {
            sent.places.push(session);
        }
    }

    fn publish(&mut self, publisher: u8, places: Vec<Place>) -> u64 {
        let number = self.sent.len() as u64;
        self.tick += 1;
        let sent = Sent {
            publisher,
            outcome: Outcome::Unknown,
            places,
            again: 0,
            last: self.tick,
            requester: None,
            expiry: None,
            confirmed: Duration::ZERO,
            published: self.now,
            tick: self.tick,
            answered: None,
            crowded: BTreeSet::new(),
            overtaken: BTreeSet::new(),
            topic: None,
            clears: false,
            is_beyond: false,
            due: None,
            delay: None,
            member: None,
        };
        self.sent.insert(number, sent);
        number
    }

    /// The broker has crashed. What is retained was for the subscriptions when they were new,
    /// and what of it had not been sent is not sent any more.
    pub(super) fn crashed(&mut self) {
        self.active = None;
        for sent in self.sent.values_mut().take(RETAINED as usize) {
            sent.places.clear();
        }
    }

    pub(super) fn asks(&mut self, session: Place) {
        self.asked.entry(session).or_insert(self.tick);
    }

    pub(super) fn subscribed(&mut self, session: Place) {
        self.subscribed.insert(session);
    }

    pub(super) fn answered(&mut self, number: u64, outcome: Outcome) {
        let sent = self.sent.get_mut(&number).unwrap();
        assert_eq!(sent.outcome, Outcome::Unknown, "message {number}");
        sent.outcome = outcome;
        sent.answered = Some(self.tick);
        let places = sent.places.clone();
        let sessions = places
            .into_iter()
            .filter(|place| self.asked.contains_key(place));
        let crowded: BTreeSet<Place> = sessions
            .filter(|session| self.beside(session, number) >= self.session_messages)
            .collect();
        let is_beyond =
            self.sent[&number].topic.is_some() && self.retained_beside(number) >= MOST_RETAINED;
        let sent = self.sent.get_mut(&number).unwrap();
        sent.crowded = crowded;
        sent.is_beyond = is_beyond;
        sent.confirmed = self.now;
    }

    /// A message came to a session over a connection that was made at that time, as if for
    /// the first time.
    pub(super) fn pushed(&mut self, session: Place, number: u64, since: Duration) {
        let sent = &self.sent[&number];
        let is_known = sent.outcome == Outcome::Confirmed && sent.again == 0;
        let over = sent.expiry.map(|time| sent.confirmed + time);
        let is_late = is_known && over.is_some_and(|over| over < since);
        assert!(!is_late, "{session} got {number} after its time");
        if sent.again > 0 {
            return;
        }
        let line = (sent.publisher, self.is_once(session, number));
        let now = self.latest;
        let exactly_once = &self.exactly_once;
        for (earlier, sent) in self.sent.range_mut(..number).rev() {
            let over = sent.published + sent.expiry.unwrap_or_default();
            if sent.published + SHORT_LIFE <= now {
                break;
            }
            let same = line == (sent.publisher, exactly_once.contains(&(session, *earlier)));
            if same && now < over && sent.again == 0 && sent.places.contains(&session) {
                sent.overtaken.insert(session);
            }
        }
    }

    /// A QoS 1 message that the broker may have is sent once more.
    pub(super) fn sent_again(&mut self, number: u64) {
        self.tick += 1;
        let sent = self.sent.get_mut(&number).unwrap();
        sent.again += 1;
        sent.last = self.tick;
    }

    /// A message arrived at a consumer. Returns whose it is, if its publisher's messages
    /// must come in their order.
    pub(super) fn delivered(&mut self, place: Place, number: u64) -> Option<u8> {
        let sent = self.sent.get(&number).expect("a message from nowhere");
        assert_ne!(sent.outcome, Outcome::Refused, "{place} has {number}");
        let early = place == "dead"
            && !self.rejected.contains(&("dying", number))
            && self.latest < sent.published + TIME_TO_LIVE;
        assert!(!early, "{number} died before its time");
        let early = sent.due.is_some_and(|due| self.latest < due);
        assert!(!early, "{number} came before its time");
        self.tick += 1;
        let copy = self.copies.entry((place, number)).or_default();
        if copy.deliveries == 0 {
            copy.first = self.tick;
        }
        copy.deliveries += 1;
        let settled = copy.settled == Settled::Certainly && sent.again == 0;
        assert!(
            !settled,
            "{place} has {number} again after its acknowledgement"
        );
        let once = copy.deliveries == 1 || !self.exactly_once.contains(&(place, number));
        assert!(once, "{place} had {number} twice, at QoS 2");
        (sent.again == 0).then_some(sent.publisher)
    }

    /// A consumer has rejected a copy for good.
    pub(super) fn rejected(&mut self, place: Place, number: u64) {
        self.rejected.insert((place, number));
    }

    /// A consumer has said that it needs a copy no more.
    pub(super) fn settled(&mut self, place: Place, number: u64) {
        let copy = self.copies.get_mut(&(place, number)).unwrap();
        copy.settled = copy.settled.max(Settled::Perhaps);
    }

    /// The broker has heard of it.
    pub(super) fn settled_certainly(&mut self, place: Place, number: u64) {
        let copy = self.copies.get_mut(&(place, number)).unwrap();
        copy.settled = Settled::Certainly;
    }

    /// What a queue holds in the end.
    pub(super) fn audit(&mut self, queue: Place, present: &[u64]) {
        let late = ["dying", ROUND].contains(&queue) && !present.is_empty();
        assert!(!late, "{present:?} did not die in their time");
        for number in present {
            self.delivered(queue, *number);
            let copy = self.copies.get_mut(&(queue, *number)).unwrap();
            let again = self.sent[number].again > 0;
            assert!(!copy.present || again, "{queue} holds {number} twice");
            copy.present = true;
        }
    }

    /// Direct replies to connections that are there reach them.
    pub(super) fn check_replies(&self) {
        for (number, sent) in &self.sent {
            let there = sent.requester.is_some_and(|(client, lost)| {
                self.lost.get(&client).copied().unwrap_or_default() == lost
            });
            if there && sent.outcome == Outcome::Confirmed && sent.places == [REPLIES] {
                let arrived = self.is_there(REPLIES, *number);
                assert!(arrived, "reply {number} was confirmed, and did not arrive");
            }
        }
    }

    /// Everything confirmed is somewhere, except what a policy dropped and counted.
    pub(super) fn check(&self, overflowed: u64, counted: u64) {
        let (mut dropped, mut expired, mut ruled) = (0, 0, 0);
        let confirmed = self.sent.iter();
        for (number, sent) in confirmed.filter(|(_, sent)| sent.outcome == Outcome::Confirmed) {
            for place in &sent.places {
                match *place {
                    place if self.is_there(place, *number) => {}
                    "dying" if self.is_there("dead", *number) => {}
                    "short" => dropped += 1,
                    ROUND => expired += 1,
                    "ruled" => ruled += 1,
                    REPLIES => {}
                    place if sent.crowded.contains(place) && sent.expiry.is_none() => dropped += 1,
                    place if sent.overtaken.contains(place) && !sent.crowded.contains(place) => {
                        panic!("{place} does not have {number}, which had time to live")
                    }
                    _ if sent.expiry.is_some() => expired += 1,
                    _ => panic!("message {number} was confirmed, and {place} does not have it"),
                }
            }
        }
        assert!(
            expired + ruled <= counted + overflowed,
            "{expired} expired and {ruled} gave way to a policy, {counted} counted"
        );
        assert!(
            dropped <= overflowed,
            "{dropped} were dropped, {overflowed} counted"
        );
    }

    fn is_there(&self, place: Place, number: u64) -> bool {
        let Some(copy) = self.copies.get(&(place, number)) else {
            return false;
        };
        // A session's client keeps what it has received.
        let kept = !QUEUES.contains(&place);
        copy.present || copy.settled != Settled::No || kept
    }
}

/// The body of a message: its number, and some bytes more than one frame has, at times.
pub(super) fn body(number: u64) -> Vec<u8> {
    let mut body = format!("{number}:").into_bytes();
    let more = [0, 10, 3_000, 9_000][(number % 4) as usize];
    body.resize(body.len() + more, b'x');
    body
}

pub(super) fn number(found: &[u8]) -> u64 {
    let end = found.iter().position(|byte| *byte == b':').unwrap();
    let number = std::str::from_utf8(&found[..end]).unwrap().parse().unwrap();
    assert_eq!(found, body(number), "a body that was changed");
    number
}
