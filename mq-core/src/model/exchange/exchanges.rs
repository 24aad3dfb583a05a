//! All exchanges of a virtual host: declaring, deleting and binding them, and the way of a
//! message through them.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Destination, Exchange, ExchangeSettings, ExchangeType, PREDECLARED, TRACE_EXCHANGE};
use crate::few_map::FewMap;
use crate::model::change::{BindingId, Change, KeptBinding};
use crate::model::delay::delay_of;
use crate::model::difference::{Difference, flag};
use crate::model::id::QueueId;
use crate::model::message::{Headers, Message, Name, Value};
use crate::model::refusal::Refusal;
use crate::model::shared::Shared;

/// A binding to make or to undo.
#[derive(Debug, Clone)]
pub(crate) struct BindRequest<'a> {
    pub(crate) source: &'a str,
    pub(crate) destination: Destination,
    /// The destination outlives the broker.
    pub(crate) lasting: bool,
    pub(crate) routing_key: &'a str,
    pub(crate) arguments: Headers,
}

/// The exchanges of a virtual host.
#[derive(Debug)]
pub(crate) struct Exchanges {
    /// A binary search asks for fewer names than a walk over a node of a tree, and there
    /// are few exchanges mostly.
    all: FewMap<Name, Exchange>,
    /// Which exchanges have bindings to a destination: mostly one.
    sources: BTreeMap<Destination, FewMap<Name, ()>>,
}

/// The default exchange can be published to and nothing else (errata 14).
pub(crate) fn refuse_default_exchange(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::access_refused(format_args!(
            "operation not permitted on the default exchange"
        )));
    }
    Ok(())
}

impl Exchanges {
    /// Those that exist before anything is declared.
    pub(crate) fn new() -> Self {
        let mut all = FewMap::new();
        for (name, kind) in PREDECLARED {
            let settings = ExchangeSettings {
                durable: true,
                // Only the broker publishes there.
                internal: *name == TRACE_EXCHANGE,
                ..ExchangeSettings::of(*kind)
            };
            all.insert(Name::from(*name), Exchange::new(settings));
        }
        Self {
            all,
            sources: BTreeMap::new(),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// Whether there is one of that name that outlives the broker.
    pub(crate) fn is_durable(&self, name: &str) -> bool {
        let exchange = self.all.get(name);
        exchange.is_some_and(|exchange| exchange.settings.durable)
    }

    /// Whether there is one of that name that routes by topics.
    pub(crate) fn has_topics(&self, name: &str) -> bool {
        let exchange = self.all.get(name);
        exchange.is_some_and(|exchange| exchange.settings.kind == ExchangeType::Topic)
    }

    fn get(&self, shared: &Shared, name: &str) -> Result<&Exchange, Refusal> {
        let exchange = self.all.get(name);
        exchange.ok_or_else(|| shared.not_found("exchange", name))
    }

    /// Whether a client may publish to one.
    pub(crate) fn check_publish(&self, shared: &Shared, exchange: &str) -> Result<(), Refusal> {
        if exchange.is_empty() {
            return Ok(());
        }
        if self.get(shared, exchange)?.settings.internal {
            return Err(Refusal::access_refused(format_args!(
                "cannot publish to internal exchange '{exchange}' in vhost '{}'",
                shared.name
            )));
        }
        Ok(())
    }

    /// `exchange.declare` with passive set: whether it exists.
    pub(crate) fn check(&self, shared: &Shared, name: &str) -> Result<(), Refusal> {
        refuse_default_exchange(name)?;
        self.get(shared, name).map(|_| ())
    }

    /// Puts one back that was kept.
    pub(crate) fn restore(&mut self, shared: &Shared, name: &Name, settings: &ExchangeSettings) {
        self.insert(shared, name.clone(), settings.clone());
    }

    fn insert(&mut self, shared: &Shared, name: Name, settings: ExchangeSettings) {
        let mut exchange = Exchange::new(settings);
        exchange.apply_policies(&shared.policies, &name);
        self.all.insert(name, exchange);
    }

    /// Puts policies that have changed in force for the first exchange after another one.
    /// Returns which one that is.
    pub(crate) fn apply_policies(
        &mut self,
        shared: &mut Shared,
        after: Option<&Name>,
    ) -> Option<Name> {
        let mut names = self.all.range_from(after.map_or("", |name| name));
        let (name, _) = names.find(|(name, _)| Some(*name) != after)?;
        let name = name.clone();
        drop(names);
        shared.statistics.steps += shared.policies.len() as u64;
        if let Some(exchange) = self.all.get_mut(&name) {
            exchange.apply_policies(&shared.policies, &name);
        }
        Some(name)
    }

    /// `exchange.declare`: makes it, or checks that it is like that.
    pub(crate) fn declare(
        &mut self,
        shared: &mut Shared,
        name: &str,
        settings: ExchangeSettings,
    ) -> Result<(), Refusal> {
        refuse_default_exchange(name)?;
        if let Some(exchange) = self.all.get(name) {
            let current = &exchange.settings;
            let attributes = [
                ("type", settings.type_name(), current.type_name()),
                ("durable", flag(settings.durable), flag(current.durable)),
                (
                    "auto_delete",
                    flag(settings.auto_delete),
                    flag(current.auto_delete),
                ),
                ("internal", flag(settings.internal), flag(current.internal)),
            ];
            let difference = Difference::of_attributes(&attributes).or_else(|| {
                let [received, current] =
                    [&settings, current].map(|s| s.alternate.as_deref().map(Value::string));
                (received != current).then(|| {
                    let argument = "alternate-exchange";
                    Difference::of_argument(argument, received.as_ref(), current.as_ref())
                })
            });
            return match difference {
                Some(difference) => Err(difference.refusal("exchange", name, &shared.name)),
                None => Ok(()),
            };
        }
        if name.starts_with("amq.") {
            return Err(Refusal::access_refused(format_args!(
                "exchange name '{name}' contains reserved prefix 'amq.*'"
            )));
        }
        if self.all.len() >= shared.limits.exchanges {
            return Err(Refusal::precondition_failed(format_args!(
                "cannot declare exchange '{name}' in vhost '{}': the limit of {} is reached",
                shared.name, shared.limits.exchanges
            )));
        }
        let name = Name::from(name);
        if settings.durable && shared.changes.are_kept() {
            shared.changes.push(Change::Exchange {
                name: name.clone(),
                settings: Box::new(settings.clone()),
            });
        }
        self.insert(shared, name, settings);
        Ok(())
    }

    /// `exchange.delete`; one that does not exist counts as deleted.
    pub(crate) fn delete(
        &mut self,
        shared: &mut Shared,
        name: &str,
        if_unused: bool,
    ) -> Result<(), Refusal> {
        refuse_default_exchange(name)?;
        if name.starts_with("amq.") && self.all.contains_key(name) {
            return Err(Refusal::access_refused(format_args!(
                "deletion of system exchange '{name}' in vhost '{}' not allowed",
                shared.name
            )));
        }
        if let Some(exchange) = self.all.get(name) {
            if if_unused && !exchange.is_unused() {
                return Err(Refusal::precondition_failed(format_args!(
                    "exchange '{name}' in vhost '{}' in use",
                    shared.name
                )));
            }
            self.remove(shared, Name::from(name));
        }
        Ok(())
    }

    /// Removes an exchange with its bindings, and the auto-delete exchanges that
    /// thereby lose their last one, and so on.
    fn remove(&mut self, shared: &mut Shared, name: Name) {
        let mut gone = Vec::from([name]);
        while let Some(name) = gone.pop() {
            let Some(exchange) = self.all.remove(&name) else {
                continue;
            };
            shared.statistics.steps += 1;
            for id in exchange.kept() {
                shared.changes.push(Change::Unbound { id });
            }
            for destination in exchange.destinations() {
                shared.statistics.steps += 1;
                self.forget_source(destination, &name);
            }
            let destination = Destination::Exchange(name.clone());
            let sources = self.sources.remove(&destination).unwrap_or_default();
            for (source, ()) in sources.into_entries() {
                if self.unbind_from(shared, &source, &destination) {
                    gone.push(source);
                }
            }
            if exchange.settings.durable {
                shared.changes.push(Change::ExchangeDeleted { name });
            }
        }
    }

    /// An exchange has no binding to a destination any more.
    fn forget_source(&mut self, destination: &Destination, source: &Name) {
        if let Some(sources) = self.sources.get_mut(destination) {
            sources.remove(source);
            if sources.is_empty() {
                self.sources.remove(destination);
            }
        }
    }

    /// Removes the bindings of a queue that is gone from the exchanges that have them.
    pub(crate) fn unbind_queue(&mut self, shared: &mut Shared, id: QueueId) {
        let queue = Destination::Queue(id);
        let sources = self.sources.remove(&queue).unwrap_or_default();
        for (source, ()) in sources.into_entries() {
            if self.unbind_from(shared, &source, &queue) {
                self.remove(shared, source);
            }
        }
    }

    /// Removes the bindings of one exchange to a destination that is gone. Returns
    /// whether the exchange goes with them.
    fn unbind_from(
        &mut self,
        shared: &mut Shared,
        source: &Name,
        destination: &Destination,
    ) -> bool {
        shared.statistics.steps += 1;
        let Some(exchange) = self.all.get_mut(source) else {
            return false;
        };
        exchange.unbind_all(destination);
        for id in exchange.take_gone() {
            shared.changes.push(Change::Unbound { id });
        }
        exchange.is_left()
    }

    /// Whether a binding outlives the broker.
    pub(crate) fn keeps(&self, shared: &Shared, request: &BindRequest<'_>) -> bool {
        shared.changes.are_kept() && request.lasting && self.is_durable(request.source)
    }

    /// `queue.bind` and `exchange.bind`.
    pub(crate) fn bind(
        &mut self,
        shared: &mut Shared,
        request: BindRequest<'_>,
    ) -> Result<(), Refusal> {
        self.check_binding(shared, &request)?;
        let limit = shared.limits.bindings;
        let kept = self.keeps(shared, &request);
        let id = kept.then_some(BindingId(shared.last_id + 1));
        let exchange = self.get(shared, request.source)?;
        if exchange.binding_count() >= limit {
            return Err(Refusal::precondition_failed(format_args!(
                "cannot bind to exchange '{}': the limit of {limit} bindings is reached",
                request.source
            )));
        }
        let binding = id.map(|id| KeptBinding {
            id,
            source: Name::from(request.source),
            destination: request.destination.clone(),
            routing_key: Name::from(request.routing_key),
            arguments: request.arguments.clone(),
        });
        if let (true, Some(binding)) = (self.add_binding(shared, request, id)?, binding) {
            shared.last_id = binding.id.0;
            shared.changes.push(Change::Bound(Box::new(binding)));
        }
        Ok(())
    }

    /// Adds a binding between things that are there. Returns whether it is new.
    fn add_binding(
        &mut self,
        shared: &Shared,
        request: BindRequest<'_>,
        id: Option<BindingId>,
    ) -> Result<bool, Refusal> {
        // The first name from there on is this one, if it is there.
        let known = self.all.range_from(request.source).next();
        let source = known.map(|(name, _)| name.clone());
        let exchange = self.all.get_mut(request.source);
        let (Some(source), Some(exchange)) = (source, exchange) else {
            return Err(shared.not_found("exchange", request.source));
        };
        let new = exchange.bind(
            &request.destination,
            request.routing_key,
            request.arguments,
            id,
        )?;
        self.sources
            .entry(request.destination)
            .or_default()
            .insert(source, ());
        Ok(new)
    }

    /// `queue.unbind` and `exchange.unbind`. A binding or an exchange that is not there
    /// counts as unbound.
    pub(crate) fn unbind(
        &mut self,
        shared: &mut Shared,
        request: &BindRequest<'_>,
    ) -> Result<(), Refusal> {
        refuse_default_exchange(request.source)?;
        if let Destination::Exchange(name) = &request.destination {
            refuse_default_exchange(name)?;
        }
        let Some(exchange) = self.all.get_mut(request.source) else {
            return Ok(());
        };
        let gone = exchange.unbind(
            &request.destination,
            request.routing_key,
            &request.arguments,
        );
        for id in exchange.take_gone() {
            shared.changes.push(Change::Unbound { id });
        }
        if gone && exchange.is_left() {
            self.remove(shared, Name::from(request.source));
        }
        Ok(())
    }

    fn check_binding(&self, shared: &Shared, request: &BindRequest<'_>) -> Result<(), Refusal> {
        refuse_default_exchange(request.source)?;
        if let Destination::Exchange(name) = &request.destination {
            refuse_default_exchange(name)?;
            self.get(shared, name)?;
        }
        self.get(shared, request.source).map(|_| ())
    }

    /// Puts back a binding that was kept. Returns whether what it is between is there and
    /// lasts too.
    pub(crate) fn restore_binding(
        &mut self,
        shared: &Shared,
        request: BindRequest<'_>,
        id: BindingId,
    ) -> Result<bool, Refusal> {
        if !self.keeps(shared, &request) {
            return Ok(false);
        }
        self.add_binding(shared, request, Some(id))
    }

    /// Finds where a message goes from the exchange that it is published to, through
    /// bindings between exchanges and to alternate exchanges: calls `queue` for each queue,
    /// which may come more than once, and `delays` for each exchange in which it waits for
    /// its time. Each exchange is asked once, so loops end; for each
    /// `others` says whether somebody else takes the message there. Returns how many
    /// exchanges, bindings and nodes were looked at.
    pub(crate) fn route<'a>(
        &'a self,
        message: &'a Message,
        keys: &[&str],
        mut queue: impl FnMut(QueueId),
        mut others: impl FnMut(&str) -> bool,
        mut delays: impl FnMut(&Name),
    ) -> usize {
        let mut steps = 0;
        let mut exchanges = Visited::from(&message.exchange);
        while let Some(name) = exchanges.next() {
            steps += 1;
            let Some(exchange) = self.all.get(name) else {
                continue;
            };
            if exchange.settings.delayed && delay_of(message).is_some() {
                delays(name);
                continue;
            }
            let mut found = false;
            steps += exchange.route(keys, &message.properties, |destination| {
                found = true;
                match destination {
                    Destination::Queue(id) => queue(*id),
                    Destination::Exchange(name) => exchanges.add(name),
                }
            });
            found |= others(name);
            if let (false, Some(alternate)) = (found, &exchange.alternate) {
                exchanges.add(alternate);
            }
        }
        steps
    }
}

/// The exchanges that a message comes to, each once, in the order in which they
/// were found.
struct Visited<'a> {
    first: &'a Name,
    /// Those that come more than one hop from the first; most messages have none.
    order: Vec<&'a Name>,
    known: BTreeSet<&'a Name>,
    next: usize,
}

impl<'a> Visited<'a> {
    fn from(first: &'a Name) -> Self {
        Self {
            first,
            order: Vec::new(),
            known: BTreeSet::new(),
            next: 0,
        }
    }

    fn add(&mut self, name: &'a Name) {
        if name != self.first && self.known.insert(name) {
            self.order.push(name);
        }
    }

    fn next(&mut self) -> Option<&'a Name> {
        let name = match self.next.checked_sub(1) {
            None => self.first,
            Some(index) => self.order.get(index)?,
        };
        self.next += 1;
        Some(name)
    }
}
