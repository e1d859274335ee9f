// Package metrics shows what a server counts in the text format of Prometheus.
//
// It counts nothing itself: at each scrape it reads what the server and the store
// have counted. Labels are names of doors, classes of status and outcomes, never
// paths, users or tokens, so that their number is bounded. It registers nothing
// globally.
package metrics

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ats-auth/ats-auth/internal/histogram"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store/measured"
)

// Config says what is shown.
type Config struct {
	Server  func() server.Stats   // required
	Store   func() measured.Stats // required
	Version string
	Log     *slog.Logger // required: problems of a scrape go there
}

// Handler answers a scrape.
func Handler(c Config) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{c}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: problems{c.Log}, MaxRequestsInFlight: 4,
		DisableCompression: true, // its buffers are larger than what they would spare
	})
}

// problems is a log of promhttp's.
type problems struct{ log *slog.Logger }

// Println is promhttp.Logger.
func (p problems) Println(words ...any) { p.log.Warn("metrics", "problem", words) }

// family is one metric: its name, its help, and its labels.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) family {
	return family{prometheus.NewDesc("ats_auth_"+name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) family {
	return family{prometheus.NewDesc("ats_auth_"+name, help, labels, nil), prometheus.GaugeValue}
}

// output is where one scrape goes.
type output chan<- prometheus.Metric

func (o output) value(f family, v float64, labels ...string) {
	o <- prometheus.MustNewConstMetric(f.desc, f.kind, v, labels...)
}

func (o output) distribution(f family, r histogram.Reading, labels ...string) {
	buckets := make(map[float64]uint64, len(r.Bounds))
	for i, bound := range r.Bounds {
		buckets[bound] = r.Counts[i]
	}
	o <- prometheus.MustNewConstHistogram(f.desc, r.Count, r.Sum, buckets, labels...)
}

// collector is a prometheus.Collector of what the server and the store counted.
type collector struct{ Config }

// Describe is prometheus.Collector: what Collect gives is not known before.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect is prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	out := output(metrics)
	out.value(gauge("build_info", "1, with the version of the program.", "version"), 1, c.Version)
	stats := c.Server()
	for _, d := range stats.Doors {
		out.door(d)
	}
	out.core(stats)
	out.store(c.Store())
}

func (o output) door(d server.DoorStats) {
	requests := gauge("http_request_duration_seconds", "Time from a request to its answer, by door and class of status.", "door", "status")
	logins := counter("logins_total", "Passwords checked, by door and outcome.", "door", "outcome")
	tokens := counter("token_events_total", "What happened to tokens, by door.", "door", "event")
	for class, name := range [server.Classes]string{"2xx", "3xx", "4xx", "5xx"} {
		o.distribution(requests, d.Requests[class], d.Name, name)
	}
	for outcome, n := range d.Logins {
		o.value(logins, float64(n), d.Name, outcome)
	}
	for event, n := range d.Tokens {
		o.value(tokens, float64(n), d.Name, event)
	}
}

func (o output) core(s server.Stats) {
	core := s.Core
	o.value(gauge("password_hashing_running", "Passwords that are hashed at this moment."), float64(core.Hashing.Running))
	o.value(gauge("password_hashing_waiting", "Passwords that wait for their turn."), float64(core.Hashing.Waiting))
	o.value(counter("password_hashes_total", "Passwords hashed."), float64(core.Hashing.Hashes))
	o.value(counter("password_hashing_refused_total", "Passwords refused because too many were waiting."), float64(core.Hashing.Refused))
	o.value(counter("throttle_refused_total", "Logins refused because too many before them were wrong."), float64(core.Throttle.Refused))
	o.value(gauge("throttle_pairs", "Pairs of user and address that are remembered."), float64(core.Throttle.Pairs))
	o.value(gauge("throttle_sources", "Addresses that are remembered."), float64(core.Throttle.Sources))
	revocations := gauge("revocations", "Revocations in memory, by what they name.", "kind")
	for kind, n := range core.Revocations {
		o.value(revocations, float64(n), string(kind))
	}
	o.value(gauge("revocations_age_seconds", "Age of the view of revocations: above stale_after nothing is vouched for from memory."), core.ViewAge.Seconds())
	o.value(counter("purged_total", "Records removed from the store because they were over."), float64(core.Purged))
	o.value(counter("purge_errors_total", "Removals that failed."), float64(core.PurgeErrors))
	o.value(counter("audit_errors_total", "Events that the audit log did not take."), float64(s.AuditErrors))
}

func (o output) store(s measured.Stats) {
	o.distribution(gauge("store_apply_duration_seconds", "Time that a change waited until it was durable."), s.Applies)
	o.distribution(gauge("store_commit_duration_seconds", "Time that a commit took."), s.Commits)
	o.distribution(gauge("store_commit_operations", "Changes that one commit carried."), s.Operations)
	failures := counter("store_errors_total", "Reads and writes that the store could not do.", "operation")
	o.value(failures, float64(s.ReadErrors), "read")
	o.value(failures, float64(s.WriteErrors), "write")
}
