//! Starting and stopping the whole of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mq_core::{Broker, Protocol};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::broker_task::{self, BrokerTask};
use crate::{Config, Listen, StartError, listener, name};

/// A running server. Dropping it shuts it down in the background, as
/// [`shutdown`](Server::shutdown) does, as long as its runtime lives.
#[derive(Debug)]
pub struct Server {
    bound: Listen,
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
    /// [`StartError::Bind`] when an address cannot be had, and
    /// [`StartError::Config`]; then no listener is left open.
    pub async fn start(mut config: Config) -> Result<Server, StartError> {
        let origin = Instant::now();
        config.broker.unix_time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let broker = Broker::new(config.broker.clone())?;
        let mut listeners = Vec::new();
        let mut bound = Listen::none();
        for (protocol, address) in config.listen.iter() {
            let bind = |source| StartError::Bind {
                protocol,
                address,
                source,
            };
            let listener = TcpListener::bind(address).await.map_err(bind)?;
            let address = listener.local_addr().map_err(bind)?;
            tracing::info!(protocol = name(protocol), %address, "listening");
            bound.set(protocol, address);
            listeners.push((protocol, listener));
        }

        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(run(broker, origin, config, listeners, stopped));
        Ok(Server {
            bound,
            stop: Some(stop),
            running,
        })
    }

    /// The listeners that are on, with the ports that they really have.
    pub fn addresses(&self) -> Listen {
        self.bound
    }

    /// Where AMQP 0-9-1 listens.
    pub fn amqp_addr(&self) -> Option<SocketAddr> {
        self.bound.amqp
    }

    /// Where MQTT listens.
    pub fn mqtt_addr(&self) -> Option<SocketAddr> {
        self.bound.mqtt
    }

    /// Where STOMP listens.
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

async fn run(
    broker: Broker,
    origin: Instant,
    config: Config,
    listeners: Vec<(Protocol, TcpListener)>,
    stopped: oneshot::Receiver<()>,
) {
    let (commands, inbox) = mpsc::channel(broker_task::INBOX);
    let room = Arc::new(Semaphore::new(config.max_connections as usize));
    // Dropped, and so ended, with this future.
    let mut accepting = JoinSet::new();
    for (protocol, listener) in listeners {
        accepting.spawn(listener::accept(
            listener,
            protocol,
            commands.clone(),
            Arc::clone(&room),
        ));
    }
    let mut broker = BrokerTask::new(broker, origin, &config, commands, inbox);
    broker.serve_until(stopped).await;
    accepting.shutdown().await;
    broker.say_goodbye(config.shutdown_grace).await;
}
