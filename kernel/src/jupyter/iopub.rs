use std::time::Duration;

use jupyter_protocol::{IoPubWelcome, JupyterMessage, JupyterMessageContent, Status};
use jupyter_zmq_client::{KernelIoPubXPubConnection, SubscriptionEvent};
use tokio::sync::{mpsc, oneshot};

use super::sending::{PATIENCE, WhenFull, stamped, within};

/// How many messages may wait for the socket; beyond that, publishers wait.
const QUEUE: usize = 256;
/// How long a message waits for a front end that has missed one already: a cell that prints much must not
/// wait at full length for each.
const SHORT_PATIENCE: Duration = Duration::from_millis(100);

enum Item {
    Message(Box<JupyterMessage>),
    Flush(oneshot::Sender<()>),
}

/// Publishes on the iopub socket, in the order of the calls. One task owns the socket.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::Sender<Item>,
}

impl Publisher {
    /// Publishes content, with `parent` as its cause if there is one.
    pub async fn publish(&self, content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) {
        self.publish_message(JupyterMessage::new(content, parent)).await;
    }

    /// Publishes a complete message, which may have metadata or buffers.
    pub async fn publish_message(&self, message: JupyterMessage) {
        // The receiver is dropped only when the kernel ends.
        let _ = self.queue.send(Item::Message(Box::new(addressed(message)))).await;
    }

    /// Publishes unless the queue is full.
    pub fn publish_if_room(&self, content: impl Into<JupyterMessageContent>, parent: &JupyterMessage) {
        let message = addressed(JupyterMessage::new(content, Some(parent)));
        if let Err(error) = self.queue.try_send(Item::Message(Box::new(message))) {
            tracing::debug!("iopub: {error}");
        }
    }

    /// Publishes a status; `when_full` says what to do when the queue is full.
    pub async fn publish_status(&self, status: Status, parent: &JupyterMessage, when_full: WhenFull) {
        match when_full {
            WhenFull::Wait => self.publish(status, Some(parent)).await,
            WhenFull::Skip => self.publish_if_room(status, parent),
        }
    }

    /// Waits until everything published so far has been handed to the system.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.queue.send(Item::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

/// On a publishing socket the first frame is a topic, not the address of a client.
fn addressed(message: JupyterMessage) -> JupyterMessage {
    let topic = message.message_type().to_owned().into_bytes();
    stamped(message).with_zmq_identities(vec![topic.into()])
}

/// Starts the task that owns the socket; it ends with the last [`Publisher`].
pub fn start(mut socket: KernelIoPubXPubConnection) -> Publisher {
    let (queue, mut items) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut patience = PATIENCE;
        loop {
            tokio::select! {
                item = items.recv() => match item {
                    Some(Item::Message(message)) => {
                        let kind = message.header.msg_type.clone();
                        let taken = within(patience, &kind, socket.send(*message)).await;
                        patience = if taken { PATIENCE } else { SHORT_PATIENCE };
                    }
                    Some(Item::Flush(done)) => {
                        let _ = done.send(());
                    }
                    None => return,
                },
                event = socket.recv_subscription() => match event {
                    Ok(SubscriptionEvent::Subscribe(topic)) => {
                        let identity = topic.clone().into_bytes();
                        let welcome = JupyterMessage::from(IoPubWelcome::new(topic));
                        let welcome = stamped(welcome).with_zmq_identities(vec![identity.into()]);
                        within(patience, "iopub_welcome", socket.send(welcome)).await;
                    }
                    Ok(SubscriptionEvent::Unsubscribe(_)) => {}
                    // The front end left in the middle of something.
                    Err(error) => tracing::debug!("iopub: {error}"),
                },
            }
        }
    });
    Publisher { queue }
}

/// A publisher without a socket, and what was published through it.
#[cfg(test)]
pub fn recorded() -> (Publisher, impl FnMut() -> Vec<JupyterMessage>) {
    let (queue, mut items) = mpsc::channel(QUEUE);
    let published = move || {
        let mut messages = Vec::new();
        while let Ok(item) = items.try_recv() {
            if let Item::Message(message) = item {
                messages.push(*message);
            }
        }
        messages
    };
    (Publisher { queue }, published)
}
