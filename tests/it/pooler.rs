//! A pooler between the server and PostgreSQL that drops what readers ask of their sessions, as pgbouncer can be told to.

use std::net::Ipv4Addr;
use std::sync::Arc;

use evolve_business::clock::SystemClock;
use evolve_business::store::{Store, StoreOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::database::{self, Kind, TestDatabase};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_drops_session_settings_is_refused() {
    database::run(Kind::Postgres, refused_behind_a_pooler).await;
}

async fn refused_behind_a_pooler(db: TestDatabase) {
    let (before, rest) = db.url.split_once('@').unwrap();
    let (server, after) = rest.split_once('/').unwrap();
    // A server that is reached by its Unix socket listens at its port of this machine too.
    let (host, port) = server.rsplit_once(':').unwrap();
    let server = if host.starts_with("%2F") { format!("127.0.0.1:{port}") } else { server.to_owned() };
    for (keeps, opens) in [(true, true), (false, false)] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("{before}@{}/{after}", listener.local_addr().unwrap());
        let pooler = tokio::spawn(pool(listener, server.clone(), keeps));
        match Store::open(&StoreOptions::new(url), Arc::new(SystemClock)).await {
            Ok(store) => {
                store.close().await.unwrap();
                assert!(opens, "opened without its session settings");
            }
            Err(error) => assert!(!opens && error.to_string().contains("pooler"), "{error}"),
        }
        pooler.abort();
    }
}

/// Hands every connection on to `server`, without the start-up parameter `options` unless it `keeps` that.
async fn pool(listener: TcpListener, server: String, keeps: bool) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let server = server.clone();
        tokio::spawn(async move {
            let mut upstream = TcpStream::connect(server).await.unwrap();
            let length = client.read_u32().await.unwrap();
            let mut startup = vec![0; usize::try_from(length).unwrap() - 4];
            client.read_exact(&mut startup).await.unwrap();
            let (version, parameters) = startup.split_at(4);
            let words: Vec<&[u8]> = parameters.split(|byte| *byte == 0).collect();
            let kept = words.chunks_exact(2).filter(|pair| !pair[0].is_empty() && (keeps || pair[0] != b"options"));
            let mut sent = version.to_vec();
            kept.flatten().for_each(|word| {
                sent.extend_from_slice(word);
                sent.push(0);
            });
            sent.push(0);
            upstream.write_u32(u32::try_from(sent.len() + 4).unwrap()).await.unwrap();
            upstream.write_all(&sent).await.unwrap();
            // Ends with either side.
            drop(tokio::io::copy_bidirectional(&mut client, &mut upstream).await);
        });
    }
}
