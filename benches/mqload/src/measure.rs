//! One load on one broker, from the first connection to the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::client::{Amqp, Destination, Job, Mqtt, Stomp};
use crate::connection::{Measured, Role, drive};
use crate::load::{Confirm, Kind, Load, Pace, Shape};
use crate::outcome::{Latency, Outcome, Server};
use crate::pacer::{self, Schedule};
use crate::process::{Process, Usage};
use crate::run::{Phase, Run};
use crate::target::{Protocol, Target};

/// How long the parts of a measurement take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Before anything is measured.
    pub warm_up: Duration,
    /// What is measured.
    pub measured: Duration,
}

/// How long everyone has to log in, or to say goodbye.
const PATIENCE: Duration = Duration::from_secs(30);
/// Without a delivery for so long, what is missing is lost.
const SILENCE: Duration = Duration::from_secs(1);
/// How long what is on its way has to arrive, as long as something does.
const DRAIN: Duration = Duration::from_secs(15);
/// The same for connections of a storm that do not end.
const STORM: Duration = Duration::from_secs(120);
/// How often a bystander sends itself a message.
const BYSTANDER: Duration = Duration::from_millis(10);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(20);

/// Measures. Calls `progress` now and then with the deliveries or connections so far.
pub async fn measure(
    target: &Target,
    load: &Load,
    tls: Option<&TlsConnector>,
    times: Times,
    progress: impl Fn(u64),
) -> Result<Outcome> {
    let crew = Crew::new(target, load, tls);
    let taken = match load.shape {
        Shape::Messages => crew.messages(times, progress).await?,
        Shape::Storm => crew.storm(progress).await?,
        Shape::Idle => crew.idle(times, progress).await?,
    };
    Ok(taken)
}

/// The tasks of a run.
struct Crew {
    run: Arc<Run>,
    /// Distinguishes the destinations and names of this run from those of others.
    id: String,
    tasks: JoinSet<Result<Measured>>,
    bystander: Option<JoinHandle<Result<Measured>>>,
    broker: Option<Process>,
    before: Option<Usage>,
    own_before: Option<Usage>,
}

impl Crew {
    fn new(target: &Target, load: &Load, tls: Option<&TlsConnector>) -> Self {
        let regular = match load.shape {
            Shape::Messages => load.publishers + load.consumers,
            Shape::Storm | Shape::Idle => load.connections,
        };
        let publishers = match (load.shape, load.pace) {
            (Shape::Messages, Pace::Window(_)) => load.publishers,
            _ => 0,
        };
        // The bystander comes last.
        let run = Run::new(
            target.clone(),
            load.clone(),
            tls.cloned(),
            regular + 1,
            publishers,
        );
        let broker = match &*target.host {
            "127.0.0.1" | "localhost" | "::1" => Process::listening_on(target.port),
            _ => None,
        };
        let unique = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default();
        Self {
            run: Arc::new(run),
            id: format!("mqload-{:x}", unique.as_micros()),
            tasks: JoinSet::new(),
            bystander: None,
            before: broker.as_ref().and_then(Process::usage),
            own_before: Process::own().usage(),
            broker,
        }
    }

    fn destination(&self, number: usize) -> Destination {
        let load = &self.run.load;
        Destination {
            name: format!("{}-{}", self.id, number % load.destinations.max(1)),
            kind: load.kind,
            shared: load.consumers > load.destinations,
        }
    }

    fn job(&self, number: usize) -> Job {
        let load = &self.run.load;
        Job {
            name: format!("{}-c{number}", self.id),
            consume: None,
            publish: None,
            confirm: load.confirm,
            durable: load.durable,
            window: match load.pace {
                Pace::Window(window) => window,
                Pace::Rate(_) => 10_000,
            },
        }
    }

    fn spawn(&mut self, number: usize, job: Job, role: Role) {
        let run = self.run.clone();
        self.tasks.spawn(drive_any(run, number, job, role));
    }

    /// Starts the bystander and waits until it is ready. Its schedule is returned.
    async fn start_bystander(&mut self) -> Result<Vec<(usize, Schedule)>> {
        let load = &self.run.load;
        if !load.bystander {
            return Ok(Vec::new());
        }
        let number = match load.shape {
            Shape::Messages => load.publishers + load.consumers,
            Shape::Storm | Shape::Idle => load.connections,
        };
        let own = Destination {
            name: format!("{}-bystander", self.id),
            kind: Kind::Queue,
            shared: false,
        };
        let job = Job {
            consume: Some(own.clone()),
            publish: Some(own),
            confirm: Confirm::None,
            durable: false,
            ..self.job(number)
        };
        let schedule = Schedule {
            first: Duration::ZERO,
            every: BYSTANDER,
        };
        let run = self.run.clone();
        let already = self.run.ready();
        let task = tokio::spawn(drive_any(run, number, job, Role::Open(schedule)));
        self.bystander = Some(task);
        self.until_ready(already + 1)
            .await
            .context("the bystander")?;
        Ok(vec![(number, schedule)])
    }

    /// Waits until so many connections are ready.
    async fn until_ready(&mut self, connections: usize) -> Result<()> {
        let start = Instant::now();
        while self.run.ready() < connections {
            self.check().await?;
            if start.elapsed() > PATIENCE {
                bail!(
                    "only {} of {connections} connections are ready",
                    self.run.ready()
                );
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Reports a connection that has ended before its time.
    async fn check(&mut self) -> Result<()> {
        if let Some(task) = self.bystander.take_if(|task| task.is_finished()) {
            task.await??;
            bail!("the bystander has left");
        }
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended??;
                bail!("a connection has left before the end");
            }
        }
    }

    async fn messages(mut self, times: Times, progress: impl Fn(u64)) -> Result<Outcome> {
        let load = self.run.load.clone();
        for consumer in 0..load.consumers {
            let number = load.publishers + consumer;
            let job = Job {
                consume: Some(self.destination(consumer)),
                ..self.job(number)
            };
            self.spawn(number, job, Role::Listen);
        }
        self.until_ready(load.consumers)
            .await
            .context("a consumer")?;
        let mut schedules = Vec::new();
        for publisher in 0..load.publishers {
            let job = Job {
                publish: Some(self.destination(publisher)),
                ..self.job(publisher)
            };
            let role = match load.pace {
                Pace::Window(window) => Role::Closed(window),
                Pace::Rate(rate) => {
                    let schedule = Schedule::share(rate, publisher, load.publishers);
                    schedules.push((publisher, schedule));
                    Role::Open(schedule)
                }
            };
            self.spawn(publisher, job, role);
        }
        self.until_ready(load.consumers + load.publishers)
            .await
            .context("a publisher")?;
        schedules.extend(self.start_bystander().await?);

        self.run.begin(times.warm_up, times.measured);
        pacer::start(self.run.clone(), schedules);
        sleep(times.warm_up).await;
        self.mark();
        let (mut last, mut moved) = (0, Instant::now());
        while self.run.now() < self.run.until() {
            sleep(LOOK).await;
            self.check().await?;
            let received = self.run.received();
            progress(received);
            if received != last {
                (last, moved) = (received, Instant::now());
            } else if moved.elapsed() > SILENCE && matches!(load.pace, Pace::Window(_)) {
                self.run.give_up();
                moved = Instant::now();
            }
        }
        let usage = self.taken();
        self.drain().await?;
        let lost = self.run.lost();
        let (measured, bystander) = self.close().await?;

        let seconds = times.measured.as_secs_f64();
        Ok(Outcome {
            seconds,
            per_second: measured.received as f64 / seconds,
            sent: measured.sent,
            received: measured.received,
            unsent: measured.unsent,
            lost,
            latency: Latency::of(&measured.latency),
            confirm: Latency::of(&measured.confirm),
            connect: Latency::of(&measured.connect),
            bystander: bystander.and_then(|it| Latency::of(&it.latency)),
            server: usage
                .0
                .map(|taken| Server::of_messages(taken, measured.received)),
            generator_cpu: usage.1 / seconds,
        })
    }

    /// What is measured of processes begins here.
    fn mark(&mut self) {
        self.before = self.broker.as_ref().and_then(Process::usage);
        self.own_before = Process::own().usage();
    }

    /// What the broker has taken since then, its memory being what it has now, and the
    /// seconds of processor time of the generator.
    fn taken(&self) -> (Option<Usage>, f64) {
        let since = |process: &Process, before: Option<Usage>| {
            let now = process.usage()?;
            Some(Usage {
                cpu: now.cpu.saturating_sub(before?.cpu),
                resident: now.resident,
            })
        };
        let broker = self.broker.as_ref().and_then(|it| since(it, self.before));
        let own = since(&Process::own(), self.own_before).unwrap_or_default();
        (broker, own.cpu.as_secs_f64())
    }

    /// Lets what is on its way arrive.
    async fn drain(&mut self) -> Result<()> {
        self.run.enter(Phase::Drain);
        let start = Instant::now();
        let (mut last, mut moved) = (self.run.received(), Instant::now());
        while self.run.missing() > 0 && start.elapsed() < DRAIN && moved.elapsed() < SILENCE {
            sleep(LOOK).await;
            self.check().await?;
            let received = self.run.received();
            if received != last {
                (last, moved) = (received, Instant::now());
            }
        }
        Ok(())
    }

    /// Everyone leaves. Returns what all have measured, and the bystander.
    async fn close(mut self) -> Result<(Measured, Option<Measured>)> {
        self.run.enter(Phase::Close);
        let all = async {
            let mut sum = Measured::default();
            while let Some(ended) = self.tasks.join_next().await {
                sum.add(&ended??);
            }
            let bystander = match self.bystander.take() {
                Some(task) => Some(task.await??),
                None => None,
            };
            anyhow::Ok((sum, bystander))
        };
        timeout(PATIENCE, all)
            .await
            .context("not everyone could say goodbye")?
    }

    async fn storm(mut self, progress: impl Fn(u64)) -> Result<Outcome> {
        let load = self.run.load.clone();
        let schedules = self.start_bystander().await?;
        self.run.begin(Duration::ZERO, STORM);
        pacer::start(self.run.clone(), schedules);
        self.mark();
        let start = Instant::now();
        let next = Arc::new(AtomicUsize::new(0));
        for _ in 0..load.at_once.min(load.connections) {
            let (run, next, job) = (self.run.clone(), next.clone(), self.job(0));
            self.tasks.spawn(async move {
                let mut sum = Measured::default();
                loop {
                    let number = next.fetch_add(1, Ordering::AcqRel);
                    if number >= run.load.connections {
                        return Ok(sum);
                    }
                    let job = Job {
                        name: format!("{}-{number}", job.name),
                        ..job.clone()
                    };
                    sum.add(&drive_any(run.clone(), number, job, Role::Visit).await?);
                }
            });
        }
        let mut sum = Measured::default();
        while !self.tasks.is_empty() {
            if let Ok(Some(ended)) = timeout(LOOK, self.tasks.join_next()).await {
                sum.add(&ended??);
            }
            progress(next.load(Ordering::Acquire) as u64);
            if start.elapsed() > STORM {
                bail!("not over after {} s", STORM.as_secs());
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let (taken, own) = self.taken();
        let (_, bystander) = self.close().await?;
        let connections = sum.connect.len();
        Ok(Outcome {
            seconds,
            per_second: connections as f64 / seconds,
            connect: Latency::of(&sum.connect),
            bystander: bystander.and_then(|it| Latency::of(&it.latency)),
            server: taken.map(|taken| Server::of_messages(taken, connections)),
            generator_cpu: own / seconds,
            ..Outcome::default()
        })
    }

    async fn idle(mut self, times: Times, progress: impl Fn(u64)) -> Result<Outcome> {
        let load = self.run.load.clone();
        let schedules = self.start_bystander().await?;
        let ready = self.run.ready();
        let before = self.broker.as_ref().and_then(Process::usage);
        let start = Instant::now();
        for number in 0..load.connections {
            while number >= self.run.ready() - ready + load.at_once {
                self.check().await?;
                sleep(Duration::from_millis(1)).await;
            }
            let destination = Destination {
                name: format!("{}-idle-{number}", self.id),
                ..self.destination(0)
            };
            let job = Job {
                consume: Some(destination),
                ..self.job(number)
            };
            self.spawn(number, job, Role::Listen);
            progress(self.run.ready() as u64);
        }
        self.until_ready(ready + load.connections).await?;
        let seconds = start.elapsed().as_secs_f64();
        self.run.begin(Duration::ZERO, times.measured);
        pacer::start(self.run.clone(), schedules);
        self.mark();
        while self.run.now() < self.run.until() {
            sleep(LOOK).await;
            self.check().await?;
        }
        let (taken, own) = self.taken();
        let (sum, bystander) = self.close().await?;
        Ok(Outcome {
            seconds: times.measured.as_secs_f64(),
            per_second: load.connections as f64 / seconds,
            connect: Latency::of(&sum.connect),
            bystander: bystander.and_then(|it| Latency::of(&it.latency)),
            server: taken.zip(before).map(|(taken, before)| {
                Server::of_herd(
                    taken,
                    before.resident,
                    load.connections as u64,
                    times.measured,
                )
            }),
            generator_cpu: own / times.measured.as_secs_f64(),
            ..Outcome::default()
        })
    }
}

/// Drives a connection of the target's protocol.
async fn drive_any(run: Arc<Run>, number: usize, job: Job, role: Role) -> Result<Measured> {
    match run.target.protocol {
        Protocol::Amqp => drive::<Amqp>(run, number, job, role).await,
        Protocol::Mqtt => drive::<Mqtt>(run, number, job, role).await,
        Protocol::Stomp => drive::<Stomp>(run, number, job, role).await,
    }
}
