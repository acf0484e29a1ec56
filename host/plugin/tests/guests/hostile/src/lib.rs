//! A provider and transformer in one component that does what its configuration's `mode` says,
//! most of it forbidden. Written against the contract itself, without the SDK.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::time::SystemTime;

wit_bindgen::generate!({
    path: "../../../../../wit/discovery.wit",
    inline: "
        package hostile:guest;
        world both {
            import periplus:discovery/log@0.1.0;
            import periplus:discovery/http@0.1.0;
            import periplus:discovery/dns@0.1.0;
            import periplus:discovery/files@0.1.0;
            export periplus:discovery/plugin@0.1.0;
            export periplus:discovery/provider@0.1.0;
            export periplus:discovery/transformer@0.1.0;
        }
    ",
    world: "hostile:guest/both",
    generate_all,
});

use exports::periplus::discovery::{plugin, provider, transformer};
use periplus::discovery::types::{Problem, TargetGroup};
use periplus::discovery::{dns, files, http, log};
use provider::{Lapse, Unavailable, Update};
use transformer::{AddTarget, Batch, Edit, Interest, SetLabel};

/// Tests overwrite these bytes to get a component that differs.
static VERSION: &str = "hostile-version-0001";

const MANIFEST: &str = r#"{
    "name": "hostile", "version": "0.1.0",
    "mechanisms": {"hostile": {"config": {
        "type": "object", "additionalProperties": false, "required": ["mode"],
        "properties": {
            "mode": {"type": "string"}, "url": {"type": "string"}, "path": {"type": "string"},
            "default_url": {"type": "string", "default": "http://127.0.0.1:1/"}
        }
    }}},
    "transformer": {"config": {"type": "object", "properties": {"mode": {"type": "string"}}}}
}"#;

struct Guest;

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

export!(Guest);

impl plugin::Guest for Guest {
    fn describe() -> String {
        MANIFEST.to_owned()
    }
}

impl provider::Guest for Guest {
    fn configure(mechanism: String, config: String) -> Result<(), Vec<Problem>> {
        assert_eq!(mechanism, "hostile");
        CONFIG.set(config);
        match field("mode").as_str() {
            "configure-refuse" => {
                let message = "it does not like it".to_owned();
                Err(vec![Problem {
                    path: "/mode".to_owned(),
                    message,
                }])
            }
            "configure-trap" => panic!("in configure"),
            "configure-reach" => match files::read("/etc/hostname") {
                Ok(_) => Ok(()),
                Err(failure) => Err(vec![Problem {
                    path: String::new(),
                    message: failure.message,
                }]),
            },
            _ => Ok(()),
        }
    }

    fn refresh(full: bool) -> Result<Update, Unavailable> {
        let call = CALLS.get();
        CALLS.set(call + 1);
        match field("mode").as_str() {
            "loop" => spin(),
            "memory" => grow(),
            "trap" => panic!("as asked"),
            "trap-second" if call == 1 => panic!("the second time"),
            "stack" => deeper(call.into()),
            "exit" => std::process::exit(3),
            "flood" => flood(),
            "print" => (0..100_000).for_each(|line| println!("line {line}")),
            "many" => return Ok(many()),
            "twice" => return Ok(complete(vec![group("g", "a:1"), group("g", "b:1")])),
            "foreign-label" => return Ok(foreign()),
            "http" => return fetch("url"),
            "http-default" => return fetch("default_url"),
            "file" => return read(),
            "dns" => return resolve(),
            "start" => return start(call),
            "partial" if call == 0 => {
                return Ok(Update {
                    complete: false,
                    ..complete(vec![group("partial", "a:1")])
                });
            }
            "lapse" => return Ok(lapse(call)),
            "sleep" => drop(http::next(600_000)),
            "unavailable" if call > 0 => return Err(unavailable("the source is down".into())),
            "wasi" => return Ok(complete(vec![wasi()])),
            _ => {}
        }
        let full = group(if full { "full" } else { "news" }, "c:3");
        Ok(complete(vec![group("g", "a:1"), full]))
    }
}

impl transformer::Guest for Guest {
    fn configure(config: String) -> Result<Interest, Vec<Problem>> {
        CONFIG.set(config);
        match field("mode").as_str() {
            "configure-refuse" => {
                let message = "it does not like it".to_owned();
                Err(vec![Problem {
                    path: "/mode".to_owned(),
                    message,
                }])
            }
            _ => Ok(Interest {
                reads: Vec::new(),
                requires: vec!["wanted".to_owned()],
            }),
        }
    }

    fn transform(batch: Batch) -> Result<Vec<Edit>, String> {
        let rows = 0..batch.rows.len() as u32;
        Ok(match field("mode").as_str() {
            "loop" => spin(),
            "memory" => grow(),
            "trap" => panic!("as asked"),
            "fail" => return Err("no answer today".to_owned()),
            "bad-row" => vec![Edit::Drop(batch.rows.len() as u32)],
            "foreign" => rows.map(|row| set(row, "__address__", "evil:1")).collect(),
            "add" => rows.map(|row| add(row, "copy", "1")).collect(),
            "clock" => rows.map(|row| set(row, "clock", &clock())).collect(),
            "reach" => rows.map(|row| set(row, "reach", &reach())).collect(),
            _ => rows.map(|row| set(row, "version", version())).collect(),
        })
    }
}

/// Read where it stands, so that the compiler makes no copies of it.
fn version() -> &'static str {
    std::hint::black_box(VERSION)
}

fn field(name: &str) -> String {
    CONFIG.with_borrow(|config| {
        let after = config
            .split_once(&format!("\"{name}\":\""))
            .map_or("", |(_, after)| after);
        after
            .split('"')
            .next()
            .unwrap_or_default()
            .replace("\\/", "/")
    })
}

fn label(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn group(source: &str, address: &str) -> TargetGroup {
    TargetGroup {
        source: source.to_owned(),
        labels: vec![label("__meta_hostile_version", version())],
        targets: vec![vec![label("__address__", address)]],
    }
}

fn complete(groups: Vec<TargetGroup>) -> Update {
    Update {
        groups,
        complete: true,
        lapses: Vec::new(),
        next_after_ms: None,
    }
}

fn unavailable(message: String) -> Unavailable {
    Unavailable {
        message,
        retry_after_ms: None,
    }
}

fn spin() -> ! {
    loop {
        std::hint::black_box(());
    }
}

fn grow() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1u8; 1 << 20]);
        std::hint::black_box(&kept);
    }
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn deeper(depth: u64) {
    let frame = [depth; 64];
    std::hint::black_box(&frame);
    deeper(depth + 1);
    std::hint::black_box(&frame);
}

fn flood() {
    for line in 0..100_000 {
        log::write(log::Level::Error, &format!("line {line}"), &[]);
    }
}

/// Ten million targets, as cheap as the contract allows: without labels.
fn many() -> Update {
    let targets = vec![Vec::new(); 10_000_000];
    complete(vec![TargetGroup {
        source: "many".to_owned(),
        labels: Vec::new(),
        targets,
    }])
}

fn foreign() -> Update {
    let mut group = group("g", "a:1");
    group
        .labels
        .push(label("__param_target", "http://internal"));
    complete(vec![group])
}

fn request() -> http::Request {
    http::Request {
        method: "GET".to_owned(),
        url: field("url"),
        headers: Vec::new(),
        body: None,
        timeout_ms: None,
        credential: None,
    }
}

fn fetch(from: &str) -> Result<Update, Unavailable> {
    let request = http::Request {
        url: field(from),
        ..request()
    };
    let response = http::send(&request).map_err(|f| unavailable(f.message))?;
    Ok(complete(vec![group(
        "http",
        &String::from_utf8_lossy(&response.body),
    )]))
}

fn read() -> Result<Update, Unavailable> {
    let content = files::read(&field("path")).map_err(|f| unavailable(f.message))?;
    Ok(complete(vec![group(
        "file",
        &String::from_utf8_lossy(&content),
    )]))
}

fn resolve() -> Result<Update, Unavailable> {
    let question = |kind: &str| dns::Question {
        name: field("url"),
        kind: kind.to_owned(),
    };
    let answers = dns::resolve(&[question("A"), question("SRV")]);
    let group = |at: usize, answer: &Result<Vec<dns::Answer>, dns::Failure>| {
        let text = match answer {
            Ok(records) => records
                .iter()
                .map(|r| r.data.as_str())
                .collect::<Vec<_>>()
                .join(","),
            Err(failure) => failure.message.clone(),
        };
        group(&at.to_string(), &text)
    };
    Ok(complete(
        answers
            .iter()
            .enumerate()
            .map(|(at, answer)| group(at, answer))
            .collect(),
    ))
}

/// Begins a request and says that there is nothing yet; the answer comes with a later call.
fn start(call: u32) -> Result<Update, Unavailable> {
    if call == 0 {
        http::start(&request());
        return Ok(Update {
            next_after_ms: Some(3_600_000),
            ..complete(Vec::new())
        });
    }
    let answer = http::next(0).ok_or_else(|| unavailable("no answer yet".to_owned()))?;
    let response = answer.outcome.map_err(|f| unavailable(f.message))?;
    Ok(complete(vec![group(
        "started",
        &String::from_utf8_lossy(&response.body),
    )]))
}

fn lapse(call: u32) -> Update {
    if call == 0 {
        let first = complete(vec![
            group("a", "a:1"),
            group("b", "b:1"),
            group("c", "c:1"),
        ]);
        return Update {
            next_after_ms: Some(1000),
            ..first
        };
    }
    let message = "b is away".to_owned();
    let lapses = vec![Lapse {
        source: "b".to_owned(),
        message,
    }];
    Update {
        lapses,
        ..complete(vec![group("a", "a:2")])
    }
}

/// What the world outside looks like through WASI.
fn wasi() -> TargetGroup {
    let mut group = group("wasi", "a:1");
    let mut random = [0; 8];
    let read = std::fs::File::open("/etc/hostname").and_then(|mut f| f.read(&mut random));
    let connected = std::net::TcpStream::connect(("127.0.0.1", 1));
    let bound = std::net::TcpListener::bind(("127.0.0.1", 0));
    for (name, seen) in [
        ("files", read.is_ok()),
        (
            "environment",
            std::env::vars().next().is_some() || std::env::args().next().is_some(),
        ),
        ("connect", !is_refused(connected)),
        ("listen", bound.is_ok()),
    ] {
        group
            .labels
            .push(label(&format!("__meta_hostile_{name}"), &seen.to_string()));
    }
    group
}

/// Not allowed, as opposed to allowed and not answered.
fn is_refused<T>(outcome: std::io::Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() != std::io::ErrorKind::ConnectionRefused)
}

fn set(row: u32, name: &str, value: &str) -> Edit {
    Edit::Set(SetLabel {
        row,
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

fn add(row: u32, name: &str, value: &str) -> Edit {
    Edit::Add(AddTarget {
        row,
        labels: vec![label(name, value)],
    })
}

fn clock() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let hasher =
        std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 1);
    format!("{} {hasher}", now.map_or(0, |t| t.as_secs()))
}

fn reach() -> String {
    match http::send(&request()) {
        Ok(_) => "reached".to_owned(),
        Err(failure) => failure.message,
    }
}
