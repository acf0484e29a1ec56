//! Random histories over a server that fails at random: the end is what a model says.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

use super::*;
use crate::resource::testing::keyed_record_of;

/// A server with objects, versions and a history that is compacted now and then. While it has
/// steps left, every request may fail in any way; then it is well.
struct Server(Mutex<World>);

struct World {
    random: StdRng,
    steps_left: u32,
    version: u64,
    objects: BTreeMap<String, Value>,
    /// Version and line of each change since `oldest`.
    history: Vec<(u64, String)>,
    oldest: u64,
    /// Snapshots that pages are taken from: token, version, what is left.
    pages: BTreeMap<String, (u64, Vec<Value>)>,
    lists_begun: usize,
}

impl World {
    fn chance(&mut self, percent: u32) -> bool {
        self.steps_left > 0 && self.random.random_range(0..100) < percent
    }

    /// A few changes, and perhaps a compaction.
    fn advance(&mut self) {
        let steps = self.random.random_range(0..4).min(self.steps_left);
        self.steps_left -= steps;
        for _ in 0..steps {
            self.change();
        }
        if self.chance(10) {
            self.oldest = self.version;
            let oldest = self.oldest;
            self.history.retain(|(version, _)| *version > oldest);
            self.pages.clear();
        }
    }

    fn change(&mut self) {
        self.version += 1;
        let name = format!("pod-{}", self.random.random_range(0..8));
        let known = self.objects.get(&name).cloned();
        let line = match known {
            Some(mut old) if self.random.random_bool(0.4) => {
                self.objects.remove(&name);
                old["metadata"]["resourceVersion"] = json!(self.version.to_string());
                event("DELETED", &old)
            }
            known => {
                // Few addresses, so that some changes change nothing that matters.
                let ip = format!("1.1.1.{}", self.random.random_range(0..3));
                let object = pod(&name, self.version, &ip);
                self.objects.insert(name, object.clone());
                event(if known.is_some() { "MODIFIED" } else { "ADDED" }, &object)
            }
        };
        self.history.push((self.version, line));
    }

    fn fault(&mut self) -> Option<ApiError> {
        if self.chance(10) {
            return Some(ApiError::Transport("scripted".to_owned()));
        }
        let codes = [401, 403, 429, 500, 503, 504, 410];
        let code = codes[self.random.random_range(0..codes.len())];
        self.chance(10).then(|| {
            ApiError::Refused(Refusal {
                code,
                ..Refusal::default()
            })
        })
    }

    fn list(&mut self, limit: Option<u32>, token: Option<&str>) -> Result<Body, ApiError> {
        let (version, mut items) = match token {
            None => {
                self.lists_begun += 1;
                (
                    self.version,
                    self.objects.values().cloned().collect::<Vec<_>>(),
                )
            }
            Some(token) => self.pages.get(token).cloned().ok_or_else(expired)?,
        };
        let rest = match limit {
            Some(_) => items.split_off(items.len().min(3)),
            None => Vec::new(),
        };
        let next = if rest.is_empty() {
            String::new()
        } else {
            format!("{version}-{}", rest.len())
        };
        if !rest.is_empty() {
            self.pages.insert(next.clone(), (version, rest));
        }
        let text = list_text(&version.to_string(), &next, &items);
        Ok(self.damaged(text, BodyEnd::Closed))
    }

    fn watch(&mut self, after: u64) -> Result<Body, ApiError> {
        if after < self.oldest {
            if self.random.random_bool(0.5) {
                return Err(expired());
            }
            return Ok(body(vec![(Duration::ZERO, error(410))], BodyEnd::Closed));
        }
        let mut lines: Vec<String> = self
            .history
            .iter()
            .filter(|(version, _)| *version > after)
            .map(|(_, line)| line.clone())
            .collect();
        if self.chance(20) {
            lines.push(bookmark(self.version));
        }
        if self.chance(10) {
            lines.push("garbage\n".to_owned());
        }
        if self.chance(5) {
            lines.push(error(500));
        }
        let end = if self.steps_left == 0 {
            BodyEnd::Open
        } else if self.random.random_bool(0.5) {
            BodyEnd::Closed
        } else {
            BodyEnd::Cut
        };
        Ok(self.damaged(lines.concat(), end))
    }

    /// The text in pieces, and now and then not all of it.
    fn damaged(&mut self, mut text: String, mut end: BodyEnd) -> Body {
        if self.chance(15) {
            text.truncate(self.random.random_range(0..=text.len()));
            end = if self.random.random_bool(0.5) {
                BodyEnd::Cut
            } else {
                BodyEnd::Closed
            };
        }
        let size = self.random.random_range(1..200);
        let mut pieces: Vec<_> = text
            .as_bytes()
            .chunks(size)
            .map(|piece| (Duration::ZERO, String::from_utf8(piece.to_vec()).unwrap()))
            .collect();
        // A moment, so that a watch does not look like one that was refused.
        pieces.push((Duration::from_secs(2), String::new()));
        body(pieces, end)
    }
}

fn expired() -> ApiError {
    ApiError::Refused(Refusal {
        code: 410,
        ..Refusal::default()
    })
}

#[async_trait]
impl Api for Server {
    async fn send(&self, request: &Request) -> Result<Body, ApiError> {
        let mut world = lock(&self.0);
        world.advance();
        if let Some(error) = world.fault() {
            return Err(error);
        }
        match &request.call {
            Call::List {
                limit,
                continue_token,
            } => world.list(*limit, continue_token.as_deref()),
            Call::Watch {
                resource_version, ..
            } => world.watch(resource_version.parse().unwrap()),
        }
    }
}

/// Follows a random server to the end; what was seen, and what there is.
fn follow(seed: u64, steps: u32) -> (BTreeMap<String, Record>, BTreeMap<String, Record>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Arc::new(Server(Mutex::new(World {
            random: StdRng::seed_from_u64(seed),
            steps_left: steps,
            version: 100,
            objects: BTreeMap::new(),
            history: Vec::new(),
            oldest: 100,
            pages: BTreeMap::new(),
            lists_begun: 0,
        })));
        let (updates, probe) = Updates::testing();
        let report = Progress::begin(updates, vec![String::new()]).remove(0);
        let seen = Seen::reporting(report);
        let api: Arc<dyn Api> = Arc::clone(&server) as Arc<dyn Api>;
        let metrics = KubernetesMetrics::default();
        let kept = SharedKept::new(seen.clone());
        let driver = Driver::new(api, Pod::default(), Collection::default(), kept, gate(), metrics);
        let run = timeout(
            Duration::from_hours(24),
            driver.run(CancellationToken::new()),
        );
        assert!(run.await.is_err(), "a driver runs until it is stopped");
        assert!(probe.status().synced);
        let world = lock(&server.0);
        assert_eq!(world.steps_left, 0);
        let expected = world
            .objects
            .values()
            .map(|object| {
                let (key, record) = keyed_record_of(&Pod::default(), object).unwrap();
                (key.source().to_string(), record)
            })
            .collect();
        (lock(&seen.0).records.clone(), expected)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_in_what_the_server_has(seed in any::<u64>(), steps in 1_u32..120) {
        let (seen, expected) = follow(seed, steps);
        prop_assert_eq!(seen, expected);
    }
}
