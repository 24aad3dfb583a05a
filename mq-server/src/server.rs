//! Starting and stopping the whole of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mq_core::model::Message;
use mq_core::{Administration, Authentication, Interception, Interceptor, Publisher};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::bridge::{self, Bridge};
use crate::broker_task::{self, BrokerTask};
use crate::fault::Fault;
use crate::hand::{AdministerError, Hand, Inventory, Snapshot};
use crate::listener::{self, Listener, Reception};
use crate::live::Live;
use crate::places::Places;
use crate::throttle::Throttle;
use crate::transport::{Acceptor, Endpoint, Speaks, TlsError};
use crate::{Config, Listen, StartError, recovery};

/// A running server. Dropping it shuts it down in the background, as
/// [`shutdown`](Server::shutdown) does, as long as its runtime lives.
#[derive(Debug)]
pub struct Server {
    bound: Listen,
    endpoints: Vec<Endpoint>,
    tls: Option<Acceptor>,
    live: Live,
    hand: Hand,
    /// Dropping it is the signal.
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Server {
    /// Binds the listeners and starts serving on the current tokio runtime.
    ///
    /// When this returns, the ports are open.
    ///
    /// # Errors
    ///
    /// [`StartError::Bind`] when an address cannot be had, [`StartError::Tls`] when TLS is
    /// wanted and cannot be offered, [`StartError::Store`] when the log cannot be used, and
    /// [`StartError::Config`]; then no listener is left open.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        config.broker.unix_time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        config.broker.drain_on_takeover = true;
        config.broker.authentication = match config.authenticator {
            Some(_) => Authentication::Embedder,
            None => Authentication::Users,
        };
        config.check()?;
        let origin = Instant::now();
        let live = Live::new(&config);
        let of_writer = live.clone();
        let opening = tokio::task::spawn_blocking(move || {
            let opened = recovery::open(&mut config, of_writer);
            opened.map(|(broker, writer)| (config, broker, writer))
        });
        let opened = opening
            .await
            .map_err(|error| StartError::Runtime(error.into()))?;
        let (config, mut broker, writer) = opened?;
        if let Some(interceptor) = config.interceptor.clone() {
            broker.set_interceptor(Box::new(Locked(interceptor)));
        }
        let tls = config.tls.clone().map(Acceptor::new).transpose()?;
        for tls in config
            .bridges
            .iter()
            .filter_map(|bridge| bridge.tls.as_ref())
        {
            tls.check()?;
        }
        let mut listeners = Vec::new();
        let mut bound = Listen::none();
        let plain = config.listen.iter();
        let plain = plain.map(|(protocol, address)| Endpoint::tcp(protocol, address));
        for (index, endpoint) in plain.chain(config.endpoints.clone()).enumerate() {
            if endpoint.tls && tls.is_none() {
                return Err(TlsError::NoCertificate(endpoint.to_string()).into());
            }
            let verifies = config
                .tls
                .as_ref()
                .is_some_and(|tls| tls.client_ca.is_some());
            let encrypts = endpoint.tls || endpoint.speaks == Speaks::Anything;
            if endpoint.identity.is_some() && !(verifies && encrypts) {
                return Err(TlsError::NoClientCertificates(endpoint.to_string()).into());
            }
            let listener = Listener::bind(&endpoint, config.tcp_backlog).await;
            let listener = listener.map_err(|source| StartError::Bind {
                endpoint: Box::new(endpoint),
                source,
            })?;
            let endpoint = &listener.endpoint;
            tracing::info!(%endpoint, "listening");
            if let (Speaks::Only(protocol), Some(address)) =
                (endpoint.speaks, listener.local_addr())
                && index < config.listen.iter().count()
            {
                bound.set(protocol, address);
            }
            listeners.push(listener);
        }
        let endpoints = listeners.iter().map(|listener| listener.endpoint.clone());
        let endpoints = endpoints.collect();

        let (stop, stopped) = oneshot::channel();
        let message_size = config.broker.limits.message_size;
        let (commands, inbox) = mpsc::channel(broker_task::INBOX);
        let hand = Hand(commands.clone());
        let reception = Reception {
            commands: commands.clone(),
            places: Places::default(),
            live: live.clone(),
            throttle: Throttle::default(),
            tls: tls.clone(),
            message_size: message_size.saturating_add(MESSAGE_HEAD),
        };
        let broker = BrokerTask::new(
            broker,
            writer,
            origin,
            live.clone(),
            config.authenticator,
            commands,
            inbox,
        );
        let bridges = config.bridges;
        let running = tokio::spawn(run(broker, listeners, bridges, reception, stopped));
        Ok(Self {
            bound,
            endpoints,
            tls,
            live,
            hand,
            stop: Some(stop),
            running,
        })
    }

    /// The listeners that are on, with the ports that they really have.
    #[must_use]
    pub fn addresses(&self) -> Listen {
        self.bound
    }

    /// All listeners, those of [`addresses`](Self::addresses) first, with the ports that
    /// they really have.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Takes over what can change while the server runs: for the connections from now on the
    /// limits of connections, the timeouts, what is done about slow consumers and the content
    /// of the files of [`Config::tls`], which are those that the server has started with; and
    /// at once the policies, and the bytes that are to stay free. The rest
    /// of `config` is not looked at.
    ///
    /// # Errors
    ///
    /// What is wrong with it; then all stays as it is.
    pub async fn reload(&self, config: &Config) -> Result<(), StartError> {
        config.check()?;
        if let Some(tls) = &self.tls {
            tls.reload()?;
        }
        let policies = Administration::ReplacePolicies {
            policies: config.broker.policies.clone(),
            operator_policies: config.broker.operator_policies.clone(),
        };
        let limits = Administration::ReplaceLimits {
            users: config.broker.user_limits.clone(),
            virtual_hosts: config.broker.virtual_host_limits.clone(),
        };
        self.administer(policies).await?;
        self.administer(limits).await?;
        self.live.set(config);
        Ok(())
    }

    /// Changes what may be changed while the server runs, and waits until it is done and,
    /// where it is to be, stored.
    ///
    /// # Errors
    ///
    /// Why not; then nothing has changed. Or the server has ended.
    pub async fn administer(&self, action: Administration) -> Result<(), AdministerError> {
        self.hand.administer(action).await
    }

    /// What there is in the server now.
    pub async fn snapshot(&self) -> Snapshot {
        self.hand.snapshot().await
    }

    /// What each queue, session and connection holds now. It takes the broker a moment for
    /// each of them: it is for a person who asks, or for a scrape.
    pub async fn inventory(&self) -> Inventory {
        self.hand.inventory().await
    }

    /// Ends all connections without a goodbye, as a network does. Returns how many there
    /// were.
    pub async fn cut_connections(&self) -> usize {
        self.hand.cut().await
    }

    /// Has something go wrong from now on, for a test.
    pub async fn inject(&self, fault: Fault) {
        self.hand.inject(fault).await;
    }

    pub(crate) fn hand(&self) -> &Hand {
        &self.hand
    }

    /// Where AMQP 0-9-1 listens.
    #[must_use]
    pub fn amqp_addr(&self) -> Option<SocketAddr> {
        self.bound.amqp
    }

    /// Where MQTT listens.
    #[must_use]
    pub fn mqtt_addr(&self) -> Option<SocketAddr> {
        self.bound.mqtt
    }

    /// Where STOMP listens.
    #[must_use]
    pub fn stomp_addr(&self) -> Option<SocketAddr> {
        self.bound.stomp
    }

    /// Stops listening, has every peer told goodbye in its own protocol, waits
    /// for them for at most [`Config::shutdown_grace`], and closes what is
    /// left.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        if let Err(error) = (&mut self.running).await {
            tracing::error!(%error, "the broker task did not end by itself");
        }
    }

    /// Waits until the server is no longer running, which without a
    /// [`shutdown`](Server::shutdown) happens only by a bug in it.
    pub async fn stopped(&mut self) {
        if let Err(error) = (&mut self.running).await {
            tracing::error!(%error, "the broker task failed");
        }
    }
}

/// An interceptor that the program has a hand on as well.
#[derive(Debug)]
struct Locked(Arc<Mutex<dyn Interceptor>>);

impl Interceptor for Locked {
    fn intercept(&mut self, publisher: Publisher<'_>, message: &Message) -> Interception {
        let mut interceptor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        interceptor.intercept(publisher, message)
    }
}

/// What a message may have besides its body in one WebSocket message: headers, properties.
const MESSAGE_HEAD: usize = 1 << 20;

async fn run(
    mut broker: BrokerTask,
    listeners: Vec<Listener>,
    bridges: Vec<Bridge>,
    reception: Reception,
    stopped: oneshot::Receiver<()>,
) {
    // Dropped, and so ended, with this future.
    let mut accepting = JoinSet::new();
    for (number, listener) in (0..).zip(listeners) {
        accepting.spawn(listener::accept(number, listener, reception.clone()));
    }
    for bridge in bridges {
        accepting.spawn(bridge::run(bridge, reception.clone()));
    }
    drop(reception);
    broker.serve_until(stopped).await;
    accepting.shutdown().await;
    broker.say_goodbye().await;
    broker.close_log().await;
}
