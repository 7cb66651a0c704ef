//! Any bytes from a peer of the pool decode to a message or an error, and a message that was decoded can be
//! encoded again.

use partita_wire::pool::{Chunk, FromSession, FromWorker, TaskFailure, ToSession, ToWorker};
use prost::Message;

#[test]
fn messages() {
    fn decode<M: Message + Default>(bytes: &[u8]) {
        if let Ok(message) = M::decode(bytes) {
            // As bytes, because NaN in a figure is not equal to itself.
            let encoded = message.encode_to_vec();
            let again = M::decode(encoded.as_slice()).expect("what was encoded");
            assert_eq!(again.encode_to_vec(), encoded);
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
