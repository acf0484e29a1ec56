//! The generated load.

use periplus_kube_api::load::{Churn, Load, Step};

use crate::client::server;

#[tokio::test]
async fn the_same_seed_gives_the_same_churn_within_bounds() {
    let load = Load {
        pods: 20,
        nodes: 2,
        namespaces: 2,
        seed: 9,
    };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (api, _http) = server().await;
        load.fill(&api);
        let mut churn = Churn::new(load);
        let mut steps: Vec<Step> = Vec::new();
        for _ in 0..300 {
            steps.push(churn.step(&api));
            let count = api.names("v1/pods").len();
            assert!((16..=24).contains(&count), "{count} Pods");
        }
        runs.push((steps, api.names("v1/pods")));
    }
    assert_eq!(runs[0], runs[1]);
    for kind in [Step::Created(0), Step::Changed(0), Step::Deleted(0)] {
        let same = |s: &Step| std::mem::discriminant(s) == std::mem::discriminant(&kind);
        assert!(runs[0].0.iter().any(same), "{kind:?} happens");
    }
}
