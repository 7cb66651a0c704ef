//! Any bytes from a peer of the pool decode to a message or an error, and a message that was decoded can be
//! encoded again.

use partita_wire::pool::{Chunk, FromSession, FromWorker, TaskFailure, ToSession, ToWorker};
use prost::Message;

#[test]
fn messages() {
    fn decode<M: Message + Default>(bytes: &[u8]) {
        if let Ok(message) = M::decode(bytes) {
            let again = M::decode(message.encode_to_vec().as_slice()).expect("what was decoded, encoded");
            // As text, because NaN in a figure is not equal to itself.
            assert_eq!(format!("{again:?}"), format!("{message:?}"));
        }
    }
    partita_fuzz::run("tests/corpus/messages", |bytes| {
        decode::<FromWorker>(bytes);
        decode::<ToWorker>(bytes);
        decode::<FromSession>(bytes);
        decode::<ToSession>(bytes);
        decode::<Chunk>(bytes);
        decode::<TaskFailure>(bytes);
    });
}
