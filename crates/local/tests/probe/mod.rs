//! A function for tests: speaks the Runtime API over a plain socket and does
//! what its event says. It runs as an ignored test of the test's own binary,
//! so that no second program has to be built or found.

pub(crate) mod s3;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use minilab_local::lambda::FunctionSpec;
use serde_json::{Value, json};

/// The function's description; `entry` is the ignored test that calls [`run`].
pub(crate) fn spec(entry: &str) -> FunctionSpec {
    let own = std::env::current_exe().expect("the test knows its own path");
    FunctionSpec {
        args: [entry, "--exact", "--ignored", "--nocapture"].map(str::to_owned).to_vec(),
        timeout: Duration::from_secs(20),
        ..FunctionSpec::new("probe", own)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the probe is a function, and functions are told by their environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the probe shows the environment that it was given")]
fn variables() -> HashMap<String, String> {
    std::env::vars().collect()
}

struct Reply {
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// One request on a connection of its own; `None` when the platform is gone.
fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Reply> {
    let api = variable("AWS_LAMBDA_RUNTIME_API")?;
    let mut stream = TcpStream::connect(&api).ok()?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !headers.iter().any(|(name, _)| *name == "Transfer-Encoding") {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut reader = BufReader::new(stream);
    let mut reply = Reply { headers: HashMap::new(), body: Vec::new() };
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => drop(reply.headers.insert(name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    reader.read_to_end(&mut reply.body).ok()?;
    Some(reply)
}

/// Copies the object of one event record, with the role's own credentials.
fn copy(record: &Value, target: &str) -> Result<(), String> {
    let signer = s3::Signer {
        endpoint: variable("AWS_ENDPOINT_URL_S3").ok_or("no endpoint")?,
        access_key_id: variable("AWS_ACCESS_KEY_ID").ok_or("no key")?,
        secret_access_key: variable("AWS_SECRET_ACCESS_KEY").ok_or("no secret")?,
        session_token: variable("AWS_SESSION_TOKEN"),
    };
    let bucket = record["s3"]["bucket"]["name"].as_str().ok_or("no bucket")?;
    // A plus in an event's key is a space; the rest is encoded as a path wants it.
    let key = record["s3"]["object"]["key"].as_str().ok_or("no key")?.replace('+', "%20");
    let (status, body) = signer.send("GET", &format!("/{bucket}/{key}"), b"");
    if status != 200 {
        return Err(format!("GET answered {status}"));
    }
    if let Some(pause) = body.strip_prefix(b"wait ") {
        let pause = String::from_utf8_lossy(pause).trim().parse().map_err(|_| "no number")?;
        std::thread::sleep(Duration::from_millis(pause));
    }
    match signer.send("PUT", &format!("/{target}/{key}"), &body).0 {
        200 => Ok(()),
        status => Err(format!("PUT answered {status}")),
    }
}

/// The function's main loop.
pub(crate) fn run() {
    match variable("PROBE_INIT").as_deref() {
        Some("exit") => {
            println!("cannot start");
            std::process::exit(3);
        }
        Some("error") => {
            let body = br#"{"errorType":"Probe.NoConfig","errorMessage":"no configuration"}"#;
            request(
                "POST",
                "/2018-06-01/runtime/init/error",
                &[("Lambda-Runtime-Function-Error-Type", "Probe.NoConfig")],
                body,
            );
            std::process::exit(1);
        }
        Some("hang") => std::thread::sleep(Duration::from_mins(10)),
        _ => {}
    }
    if variable("PROBE_EXTENSION").is_some() {
        let headers = [("Lambda-Extension-Name", "probe")];
        let reply =
            request("POST", "/2020-01-01/extension/register", &headers, br#"{"events":["INVOKE"]}"#).unwrap();
        let id = reply.headers["lambda-extension-identifier"].clone();
        std::thread::spawn(move || {
            while let Some(event) = request(
                "GET",
                "/2020-01-01/extension/event/next",
                &[("Lambda-Extension-Identifier", &id)],
                b"",
            ) {
                println!("extension saw {}", String::from_utf8_lossy(&event.body));
            }
        });
    }
    serve();
}

/// 0 to 99, another each time.
fn chance() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // The last digits of the clock alone may be even only.
    ((now.subsec_nanos() / 7) ^ std::process::id()).wrapping_mul(2_654_435_761) / 7 % 100
}

/// Appends a line to the file that the test counts.
fn note_success(number: &Value) {
    if let Some(path) = variable("PROBE_SUCCESSES") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(format!("{number}\n").as_bytes()).unwrap();
    }
}

fn serve() {
    let mut handled = 0;
    while let Some(next) = request("GET", "/2018-06-01/runtime/invocation/next", &[], b"") {
        let Some(id) = next.headers.get("lambda-runtime-aws-request-id") else { break };
        let event: Value = serde_json::from_slice(&next.body).unwrap_or_default();
        handled += 1;
        println!("handling {event}");
        let respond = format!("/2018-06-01/runtime/invocation/{id}/response");
        if let (Some(target), Some(records)) = (variable("PROBE_COPY_TO"), event["Records"].as_array())
            && let Err(message) = records.iter().try_for_each(|record| copy(record, &target))
        {
            let body = json!({ "errorType": "Probe.CopyFailed", "errorMessage": message }).to_string();
            request("POST", &format!("/2018-06-01/runtime/invocation/{id}/error"), &[], body.as_bytes());
            continue;
        }
        match event["do"].as_str().unwrap_or("ok") {
            "error" => {
                eprintln!("refusing");
                let body = br#"{"errorType":"Probe.Refused","errorMessage":"as asked"}"#;
                let path = format!("/2018-06-01/runtime/invocation/{id}/error");
                request("POST", &path, &[("Lambda-Runtime-Function-Error-Type", "Probe.Refused")], body);
                continue;
            }
            "flaky" => match chance() {
                0 => std::process::exit(7),
                1..20 => {
                    let body = br#"{"errorType":"Probe.Flaky","errorMessage":"this time"}"#;
                    request("POST", &format!("/2018-06-01/runtime/invocation/{id}/error"), &[], body);
                    continue;
                }
                _ => note_success(&event["n"]),
            },
            "exit" => std::process::exit(7),
            "abort" => std::process::abort(),
            "hang" => std::thread::sleep(Duration::from_mins(10)),
            "child" => {
                let mut child = std::process::Command::new("/bin/sleep").arg("600").spawn().unwrap();
                println!("child {}", child.id());
                let _ = child.wait();
            }
            "eat" => {
                let mut held: Vec<Vec<u8>> = Vec::new();
                loop {
                    held.push(vec![1; 8 << 20]);
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            "spike" => drop(std::hint::black_box(vec![1_u8; 300 << 20])),
            "chunks" => {
                let headers = [
                    ("Transfer-Encoding", "chunked"),
                    ("Lambda-Runtime-Function-Response-Mode", "streaming"),
                ];
                request("POST", &respond, &headers, b"3\r\n\"ab\r\n3\r\ncd\"\r\n0\r\n\r\n");
                continue;
            }
            "broken stream" => {
                let headers = [
                    ("Transfer-Encoding", "chunked"),
                    ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"),
                ];
                let body = b"3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: Probe.Halfway\r\nLambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJoYWxmd2F5In0=\r\n\r\n";
                request("POST", &respond, &headers, body);
                continue;
            }
            "large" => {
                request("POST", &respond, &[], &vec![b'1'; 7 << 20]);
                continue;
            }
            "wait" => std::thread::sleep(Duration::from_millis(event["ms"].as_u64().unwrap_or(0))),
            _ => {}
        }
        let answer = json!({
            "pid": std::process::id(),
            "handled": handled,
            "env": variables(),
            "headers": next.headers,
        });
        request("POST", &respond, &[], answer.to_string().as_bytes());
    }
}
