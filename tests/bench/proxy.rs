//! Counts requests and bytes on the way to a real S3 server, so that nothing is left out that an adapter does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What went over the wire, heads included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) puts: u64,
    pub(crate) gets: u64,
    pub(crate) deletes: u64,
    pub(crate) up: u64,
    pub(crate) down: u64,
}

impl Counted {
    pub(crate) fn since(self, before: Counted) -> Counted {
        Counted {
            puts: self.puts - before.puts,
            gets: self.gets - before.gets,
            deletes: self.deletes - before.deletes,
            up: self.up - before.up,
            down: self.down - before.down,
        }
    }
}

/// Hands on what a client sends to the server, request by request, and counts.
pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    counted: Arc<Mutex<Counted>>,
}

impl Proxy {
    pub(crate) fn start(server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let counted = Arc::<Mutex<Counted>>::default();
        let (to, counting) = (server.trim_start_matches("http://").to_owned(), Arc::clone(&counted));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server, counting) = (client.unwrap(), TcpStream::connect(&to).unwrap(), Arc::clone(&counting));
                let (mut back, mut answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let counting_back = Arc::clone(&counting);
                std::thread::spawn(move || {
                    let mut bytes = [0; 64 * 1024];
                    while let Ok(n) = answers.read(&mut bytes).map_or(Err(()), |n| if n == 0 { Err(()) } else { Ok(n) }) {
                        counting_back.lock().unwrap().down += n as u64;
                        if back.write_all(&bytes[..n]).is_err() {
                            break;
                        }
                    }
                });
                std::thread::spawn(move || hand_on(client, server, &counting));
            }
        });
        Proxy { endpoint, counted }
    }

    pub(crate) fn counted(&self) -> Counted {
        *self.counted.lock().unwrap()
    }
}

fn hand_on(mut client: TcpStream, mut server: TcpStream, counting: &Mutex<Counted>) {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if !client.read(&mut byte).is_ok_and(|n| n > 0) {
                return;
            }
            head.push(byte[0]);
        }
        let text = String::from_utf8(head.clone()).unwrap().to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        client.read_exact(&mut body).unwrap();
        {
            let mut counted = counting.lock().unwrap();
            counted.up += (head.len() + body.len()) as u64;
            match text.split(' ').next().unwrap() {
                "put" => counted.puts += 1,
                "get" | "head" => counted.gets += 1,
                "delete" => counted.deletes += 1,
                other => panic!("no store is asked to {other}"),
            }
        }
        server.write_all(&head).unwrap();
        server.write_all(&body).unwrap();
    }
}
