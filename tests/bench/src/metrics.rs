//! What a process says of itself at `/metrics`.

use crate::client::Client;

/// One reading.
pub(crate) struct Metrics(String);

// === impl Metrics ===

impl Metrics {
    pub(crate) async fn read(client: &mut Client) -> anyhow::Result<Self> {
        let answer = client.get("/metrics", &[]).await?;
        anyhow::ensure!(
            answer.status.is_success(),
            "`/metrics` answered {}",
            answer.status
        );
        Ok(Self(String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// The sum of all samples of a metric; none if there is no such metric.
    pub(crate) fn sum(&self, metric: &str) -> Option<f64> {
        self.sum_where(metric, |_| true)
    }

    /// The targets of a job before its rules, as Prometheus and Periplus count them alike.
    pub(crate) fn discovered(&self, job: &str) -> usize {
        let label = format!("config=\"{job}\"");
        let sum = self.sum_where("prometheus_sd_discovered_targets", |labels| {
            labels.split(',').any(|one| one == label)
        });
        sum.unwrap_or(0.0) as usize
    }

    /// The bound of the bucket in which this share of what was observed since `earlier` lies: no more
    /// than that it took. None if nothing was observed.
    pub(crate) fn quantile_bound(&self, earlier: &Self, metric: &str, share: f64) -> Option<f64> {
        let mut buckets = self.buckets(metric);
        let before = earlier.buckets(metric);
        for (bound, count) in &mut buckets {
            let same = before.iter().find(|(b, _)| b.total_cmp(bound).is_eq());
            *count -= same.map_or(0.0, |(_, count)| *count);
        }
        let total = buckets.last().map(|(_, count)| *count)?;
        let reached = |(_, count): &&(f64, f64)| total > 0.0 && *count >= total * share;
        buckets.iter().find(reached).map(|(bound, _)| *bound)
    }

    /// Upper bounds and cumulated counts of a histogram, all label sets together.
    fn buckets(&self, metric: &str) -> Vec<(f64, f64)> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (labels, value) in self.samples(&format!("{metric}_bucket")) {
            let bound = labels
                .split(',')
                .find_map(|label| label.strip_prefix("le=\"")?.strip_suffix('"'));
            let Some(bound) = bound.and_then(|text| text.parse::<f64>().ok()) else {
                continue;
            };
            match buckets
                .iter_mut()
                .find(|(b, _)| b.total_cmp(&bound).is_eq())
            {
                Some((_, count)) => *count += value,
                None => buckets.push((bound, value)),
            }
        }
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        buckets
    }

    fn sum_where(&self, metric: &str, choose: impl Fn(&str) -> bool) -> Option<f64> {
        let chosen = self.samples(metric).filter(|(labels, _)| choose(labels));
        chosen
            .map(|(_, value)| value)
            .fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    /// Labels as they are written, and the value. (No label value here holds a comma.)
    fn samples<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            // Behind that stands an example of what was counted.
            let line = line.split(" # ").next()?;
            let rest = line.strip_prefix(metric)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            Some((labels, value.split(' ').next()?.parse().ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_and_counted_per_job() {
        let metrics = Metrics(
            "# TYPE x counter\nx{role=\"a\"} 1\nx{role=\"b\"} 2 # {e=\"1\"} 1\nxy 7\n\
             prometheus_sd_discovered_targets{config=\"pods\",name=\"scrape\"} 12\n\
             prometheus_sd_discovered_targets{name=\"scrape\",config=\"pods-slow\"} 5\n"
                .to_owned(),
        );
        assert_eq!(metrics.sum("x"), Some(3.0));
        assert_eq!(metrics.sum("xy"), Some(7.0));
        assert_eq!(metrics.sum("z"), None);
        assert_eq!(metrics.discovered("pods"), 12);
        assert_eq!(metrics.discovered("pods-slow"), 5);
        assert_eq!(metrics.discovered("none"), 0);
    }

    #[test]
    fn quantiles_are_of_what_came_since() {
        let reading = |counts: [u32; 3]| {
            let [a, b, c] = counts;
            Metrics(format!(
                "h_bucket{{p=\"x\",le=\"0.001\"}} {a}\nh_bucket{{p=\"x\",le=\"0.01\"}} {b}\n\
                 h_bucket{{p=\"x\",le=\"+Inf\"}} {c}\n"
            ))
        };
        let (before, after) = (reading([0, 5, 10]), reading([98, 105, 110]));
        assert_eq!(after.quantile_bound(&before, "h", 0.5), Some(0.001));
        assert_eq!(after.quantile_bound(&before, "h", 0.99), Some(0.01));
        assert_eq!(
            after.quantile_bound(&reading([0, 0, 0]), "h", 1.0),
            Some(f64::INFINITY)
        );
        assert_eq!(before.quantile_bound(&before, "h", 0.5), None);
    }
}
