//! The server for programs that have no tokio runtime.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mq_core::Administration;
use tokio::sync::oneshot;

use crate::hand::{AdministerError, Hand, Inventory, Snapshot};
use crate::{Config, Endpoint, Fault, Listen, Server, StartError};

/// How often it is looked at what is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A [`Server`] on a thread of its own, with its own runtime. Dropping it
/// shuts it down and waits for that.
///
/// ```
/// let server = mq_server::BlockingServer::start(mq_server::Config::ephemeral())?;
/// let peer = std::net::TcpStream::connect(server.amqp_addr().unwrap())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlockingServer {
    bound: Listen,
    endpoints: Vec<Endpoint>,
    hand: Hand,
    /// Dropping it is the signal.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl BlockingServer {
    /// Starts the server; when this returns, the ports are open.
    ///
    /// # Errors
    ///
    /// Those of [`Server::start`], and [`StartError::Runtime`].
    pub fn start(config: Config) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("mq-server")
            .build()
            .map_err(StartError::Runtime)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("mq-server".into())
            .spawn(move || {
                runtime.block_on(async {
                    match Server::start(config).await {
                        Ok(server) => {
                            // A starter that is gone has dropped `stop` too.
                            let endpoints = server.endpoints().to_vec();
                            let open = (server.addresses(), endpoints, server.hand().clone());
                            let _ = tell.send(Ok(open));
                            let _ = stopped.await;
                            server.shutdown().await;
                        }
                        Err(error) => {
                            let _ = tell.send(Err(error));
                        }
                    }
                });
            })
            .map_err(StartError::Runtime)?;
        let (bound, endpoints, hand) = told
            .recv()
            .map_err(|_| StartError::Runtime(std::io::Error::other("its thread panicked")))??;
        Ok(Self {
            bound,
            endpoints,
            hand,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The listeners that are on, with the ports that they really have.
    #[must_use]
    pub fn addresses(&self) -> Listen {
        self.bound
    }

    /// All listeners, as [`Server::endpoints`] returns them.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// What there is in the server now.
    ///
    /// # Panics
    ///
    /// In an asynchronous context, as the three below: a [`Server`] is for those.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.hand.snapshot_blocking()
    }

    /// What each queue, session and connection holds now.
    ///
    /// # Panics
    ///
    /// In an asynchronous context.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        self.hand.inventory_blocking()
    }

    /// Changes what may be changed while the server runs, and waits until it is done and,
    /// where it is to be, stored.
    ///
    /// # Errors
    ///
    /// Why not; then nothing has changed. Or the server has ended.
    ///
    /// # Panics
    ///
    /// In an asynchronous context.
    pub fn administer(&self, action: Administration) -> Result<(), AdministerError> {
        self.hand.administer_blocking(action)
    }

    /// Waits until a snapshot passes a test, for at most so long. Returns whether one did.
    pub fn wait_until(&self, timeout: Duration, test: impl Fn(&Snapshot) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            if test(&self.snapshot()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Ends all connections without a goodbye, as a network does. Returns how many there
    /// were.
    #[must_use]
    pub fn cut_connections(&self) -> usize {
        self.hand.cut_blocking()
    }

    /// Has something go wrong from now on, for a test.
    ///
    /// # Panics
    ///
    /// In an asynchronous context.
    pub fn inject(&self, fault: Fault) {
        self.hand.inject_blocking(fault);
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

    /// Shuts the server down as [`Server::shutdown`] does, and waits for it.
    /// Dropping does the same.
    pub fn shutdown(self) {}
}

impl Drop for BlockingServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed by the panic hook already.
            let _ = thread.join();
        }
    }
}
