//! What `make run` runs, in a folder of its own: the same configuration, plugins and cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use periplus_kube_api::load::{Churn, Load};
use periplus_kube_api::{KubeApi, Options};
use tokio::task::{AbortHandle, JoinHandle};

use crate::running::Running;
use crate::scene::{ANYWHERE, Scene, command};

const CONFIG: &str = "examples/quickstart/periplus.yml";
/// Pods of the quickstart that come and go in a second.
const CHURN: f64 = 2.0;

/// The stand-in cluster; it stands still when this is dropped.
struct Cluster {
    api: Arc<KubeApi>,
    churn: AbortHandle,
}

/// The quickstart with readers, and one of its targets.
pub(crate) async fn scene() -> (Scene, String) {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start().await;
    lay_out(folder.path(), &cluster.api);
    let mut command = command(folder.path(), CONFIG, ANYWHERE);
    command.args(["--plugin-cache", ".run/quickstart/plugin-cache"]);
    let host = Running::start(command).await;
    let is_known = |it: &crate::running::Answer| it.status == 200 && it.addresses().len() > 50;
    let pods = host.until_job("its Pods", "pods", is_known).await;
    for path in ["/sd/local", "/sd/nodes?stage=discovered"] {
        host.until("targets", path, |it| it.status == 200).await;
    }
    let target = pods.addresses().into_iter().next().unwrap();
    (Scene::before(host, folder, Box::new(cluster)).await, target)
}

/// As in a checkout of the project, as far as the configuration says.
fn lay_out(folder: &Path, api: &KubeApi) {
    let config = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(CONFIG);
    let example = folder.join(CONFIG);
    std::fs::create_dir_all(example.parent().unwrap()).unwrap();
    std::fs::copy(config, example).unwrap();
    let run = folder.join(".run/quickstart");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("kubeconfig"), api.kubeconfig()).unwrap();
    let plugins = std::env::var_os("PERIPLUS_PLUGINS_DIR").map(PathBuf::from);
    let plugins = plugins.expect("PERIPLUS_PLUGINS_DIR names the built plugins");
    let expected = folder.join("plugins/target/wasm32-wasip2");
    std::fs::create_dir_all(&expected).unwrap();
    std::os::unix::fs::symlink(plugins, expected.join("release")).unwrap();
}

// === impl Cluster ===

impl Cluster {
    async fn start() -> Self {
        let api = Arc::new(KubeApi::start(Options::default()).await.unwrap());
        let load = Load::default();
        load.fill(&api);
        let changed = Arc::clone(&api);
        let churn: JoinHandle<()> =
            tokio::spawn(async move { Churn::new(load).run(&changed, CHURN).await });
        Self {
            api,
            churn: churn.abort_handle(),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.churn.abort();
    }
}
