//! What a client has yet to hear, bounded in messages and in bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::mcp::{front::ToClient, wire::Message};

/// Messages that wait for a client to take them. When there is no room, whoever
/// produces more waits as well.
pub(crate) const MAX_QUEUED_MESSAGES: usize = 64;
/// What those may have together, in bytes. A longer message has the queue for itself.
pub(crate) const MAX_QUEUED_BYTES: usize = 8 << 20;

/// Room is counted in blocks of so many bytes; what is less is bounded by the
/// number of messages.
const BLOCK: usize = 1024;
const BLOCKS: u32 = (MAX_QUEUED_BYTES / BLOCK) as u32;

/// A message, and the room that it takes until it is taken out.
type Queued = (ToClient, Option<OwnedSemaphorePermit>);

/// The end of the queue where messages are put in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

/// The end of the queue where messages are taken out.
#[derive(Debug)]
pub(crate) struct Inbox(mpsc::Receiver<Queued>);

/// Room for messages that are about to be put in.
pub(crate) struct Room<'a>(mpsc::PermitIterator<'a, Queued>, Option<OwnedSemaphorePermit>);

/// Whoever was to take the message is gone.
#[derive(Debug)]
pub(crate) struct Gone;

/// Why a message was not put in at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotQueued {
    /// There is no room.
    Full,
    /// Whoever was to take it is gone.
    Gone,
}

/// An empty queue.
pub(crate) fn queue() -> (Outgoing, Inbox) {
    let (queue, inbox) = mpsc::channel(MAX_QUEUED_MESSAGES);
    (Outgoing { queue, room: Arc::new(Semaphore::new(BLOCKS as usize)) }, Inbox(inbox))
}

/// The room that a message takes.
fn blocks(message: &Message) -> u32 {
    u32::try_from(message.bytes() / BLOCK).unwrap_or(BLOCKS).min(BLOCKS)
}

impl Outgoing {
    /// Waits for room for this message, and for as many `others` as are bounded
    /// in bytes elsewhere.
    pub(crate) async fn reserve(&self, said: &Message, others: usize) -> Result<Room<'_>, Gone> {
        // Who takes nothing more gives no room back either.
        tokio::select! {
            biased;
            () = self.queue.closed() => Err(Gone),
            room = self.room.clone().acquire_many_owned(blocks(said)) => {
                let bytes = room.map_err(|_| Gone)?;
                Ok(Room(self.queue.reserve_many(1 + others).await.map_err(|_| Gone)?, Some(bytes)))
            }
        }
    }

    /// Puts a message in, waiting for room. Who is gone needs no message.
    pub(crate) async fn send(&self, said: ToClient) {
        if let Ok(mut room) = self.reserve(&said.message, 0).await {
            room.fill(said);
        }
    }

    /// Puts a message in if there is room at this moment.
    pub(crate) fn try_send(&self, said: ToClient) -> Result<(), NotQueued> {
        let room = self.room.clone().try_acquire_many_owned(blocks(&said.message));
        let room = room.map_err(|_| NotQueued::Full)?;
        self.queue.try_send((said, Some(room))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotQueued::Full,
            mpsc::error::TrySendError::Closed(_) => NotQueued::Gone,
        })
    }

    /// Whether nobody takes messages any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl Room<'_> {
    /// Puts a message in, as long as there is room. What the first takes in
    /// bytes is given back with it.
    pub(crate) fn fill(&mut self, said: ToClient) {
        if let Some(place) = self.0.next() {
            place.send((said, self.1.take()));
        }
    }
}

impl Inbox {
    /// The next message; none once nobody puts any in. Cancel-safe.
    pub(crate) async fn recv(&mut self) -> Option<ToClient> {
        Some(self.0.recv().await?.0)
    }

    /// The next message, if it is there.
    pub(crate) fn try_recv(&mut self) -> Option<ToClient> {
        Some(self.0.try_recv().ok()?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_bytes(bytes: usize) -> ToClient {
        Message::written(&format!(r#"{{"method":"{}"}}"#, "x".repeat(bytes))).into()
    }

    #[tokio::test]
    async fn a_queue_holds_so_many_bytes_or_so_many_messages_whichever_is_less() {
        let (outgoing, mut inbox) = queue();
        for _ in 0..4 {
            assert_eq!(outgoing.try_send(of_bytes(MAX_QUEUED_BYTES / 4)), Ok(()));
        }
        assert_eq!(outgoing.try_send(of_bytes(BLOCK)), Err(NotQueued::Full));
        inbox.recv().await.expect("a message");
        assert_eq!(outgoing.try_send(of_bytes(BLOCK)), Ok(()));

        let (outgoing, inbox) = queue();
        for _ in 0..MAX_QUEUED_MESSAGES {
            assert_eq!(outgoing.try_send(of_bytes(1)), Ok(()));
        }
        assert_eq!(outgoing.try_send(of_bytes(1)), Err(NotQueued::Full));
        drop(inbox);
        assert!(outgoing.is_closed());
    }

    #[tokio::test]
    async fn a_message_of_any_length_passes_alone_and_nobody_waits_for_who_is_gone() {
        let (outgoing, mut inbox) = queue();
        outgoing.send(of_bytes(3 * MAX_QUEUED_BYTES)).await;
        assert_eq!(outgoing.try_send(of_bytes(BLOCK)), Err(NotQueued::Full));
        assert!(inbox.recv().await.expect("a message").message.bytes() > MAX_QUEUED_BYTES);
        outgoing.send(of_bytes(MAX_QUEUED_BYTES)).await;
        let waiting = outgoing.send(of_bytes(BLOCK));
        drop(inbox);
        waiting.await;
    }
}
