use futures::{Stream, StreamExt};
use partita_wire::pool::blocks_client::BlocksClient;
use partita_wire::pool::{Chunk, TaskKey};
use partita_wire::{MESSAGE_BYTES, Token, words};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::state::{Shared, attempt};
use crate::{MasterError, MasterOptions};

/// A connection to a worker's Blocks service. It connects on first use.
pub(crate) fn channel(options: &MasterOptions, address: &str) -> Result<Channel, Status> {
    let unusable = |why: &dyn std::fmt::Display| {
        Status::invalid_argument(format!("`{address}` is not a host:port that reaches a worker: {why}"))
    };
    let tls = options.tls.client().map_err(|error| Status::internal(error.to_string()))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    if !address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        return Err(unusable(&"it has no port"));
    }
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .map_err(|error| unusable(&error))?
        .connect_timeout(options.lost_after)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(options.lost_after)
        .keep_alive_timeout(options.lost_after);
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls).map_err(|error| unusable(&error))?;
    }
    Ok(endpoint.connect_lazy())
}

/// Checks at start whether the certificates for connections to workers can be read.
pub(crate) fn check(options: &MasterOptions) -> Result<(), MasterError> {
    options.tls.client().map(drop).map_err(MasterError::from)
}

/// Streams a result from the worker that holds it, chunk by chunk: the worker sends more when the session has
/// read.
pub(crate) async fn get(
    shared: &Shared,
    key: TaskKey,
) -> Result<impl Stream<Item = Result<Chunk, Status>> + use<>, Status> {
    let found = shared.with(|state, _| {
        let worker = *state.sessions.get(&key.session)?.results.get(&attempt(&key))?;
        let peer = state.workers.get(&worker)?;
        Some((
            worker,
            format!("worker {worker} ({})", peer.hello.name),
            peer.channel.clone(),
            peer.gone.clone(),
        ))
    });
    let (worker, name, channel, gone) = found.ok_or_else(|| {
        let TaskKey { session, job, stage, partition, .. } = key;
        Status::not_found(format!(
            "no worker keeps a result of partition {partition} of stage {stage} in job {job} of session \
             {session}: it was taken, or its worker is lost"
        ))
    })?;
    let lost = {
        let name = name.clone();
        move || Status::unavailable(format!("{name} was lost before all of a result was read"))
    };
    let mut blocks = BlocksClient::with_interceptor(channel, Token::send(shared.options.token.clone()))
        .max_decoding_message_size(MESSAGE_BYTES);
    let answer = tokio::select! {
        biased;
        () = gone.cancelled() => return Err(lost()),
        answer = blocks.take_result(key) => answer.map_err(|status| unreachable(&name, status))?,
    };
    shared.with(|state, _| {
        if let Some(session) = state.sessions.get_mut(&key.session)
            && session.results.get(&attempt(&key)) == Some(&worker)
        {
            session.results.remove(&attempt(&key));
        }
    });
    // A worker that is stopped or cut off sends nothing, so its loss must end the stream with an error.
    let chunks = answer.into_inner();
    Ok(futures::stream::unfold(Some((chunks, gone, lost)), |reading| async move {
        let (mut chunks, gone, lost) = reading?;
        tokio::select! {
            biased;
            chunk = chunks.next() => match chunk? {
                Ok(chunk) => Some((Ok(chunk), Some((chunks, gone, lost)))),
                Err(status) => Some((Err(status), None)),
            },
            () = gone.cancelled() => Some((Err(lost()), None)),
        }
    }))
}

fn unreachable(name: &str, status: Status) -> Status {
    match status.code() {
        Code::Unavailable | Code::Unknown => Status::unavailable(format!(
            "the master cannot fetch a result from {name}: {}; can the master reach the address this worker \
             gives out?",
            words(&status)
        )),
        _ => status,
    }
}
