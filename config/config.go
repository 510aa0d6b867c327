// Package config defines all settings and their defaults, reads them, and reports every
// fault in them. Flags beat the environment, which beats the file, which beats the
// defaults.
package config

import (
	"time"

	"github.com/hone-ml/hone/internal/secret"
)

// Config is everything that can be set. The tags are the keys of the file; the
// environment variable of a key is HONE_ and the key in capitals with _ for the
// dot. config.example.yaml explains every key.
type Config struct {
	// Listen is the address of hone's one HTTP port, "host:port" or ":port".
	Listen string `koanf:"listen"`
	// DataDir is the directory of the database; created when missing.
	DataDir string `koanf:"data_dir"`
	// ShutdownTimeout bounds the wait for running work when hone is stopped.
	ShutdownTimeout time.Duration `koanf:"shutdown_timeout"`

	// Secret must be in Label Studio's calls; empty: DataDir/secret, made at the first
	// start.
	Secret secret.Secret `koanf:"secret"`
	// AdminToken opens /api and /metrics; empty: DataDir/admin-token, made at the
	// first start. ViewToken only reads; empty: there is none.
	AdminToken secret.Secret `koanf:"admin_token"`
	ViewToken  secret.Secret `koanf:"view_token"`
	// AdminListen, unless empty, is a second address for /api and /metrics, which
	// Listen then does not serve.
	AdminListen string `koanf:"admin_listen"`
	// Insecure lets everybody call everything.
	Insecure bool `koanf:"insecure"`
	// AllowedHosts are names, beside those of the loopback addresses, that a
	// request without a secret may name in its Host header where hone listens on
	// a loopback address only.
	AllowedHosts List `koanf:"allowed_hosts"`
	// TrustedProxies are addresses and networks whose X-Forwarded headers are
	// believed.
	TrustedProxies List `koanf:"trusted_proxies"`

	TLS         TLS         `koanf:"tls"`
	BasicAuth   BasicAuth   `koanf:"basic_auth"`
	LabelStudio LabelStudio `koanf:"label_studio"`
	Webhook     Webhook     `koanf:"webhook"`
	Learner     Learner     `koanf:"learner"`
	Sampler     Sampler     `koanf:"sampler"`
	Cron        Cron        `koanf:"cron"`
	Notify      Notify      `koanf:"notify"`
	Log         Log         `koanf:"log"`
}

// TLS names files in PEM form.
type TLS struct {
	// Cert and Key are hone's own certificate, read again when they change; both
	// or neither.
	Cert string `koanf:"cert"`
	Key  string `koanf:"key"`
	// CA holds certificates that hone trusts beside the system's, to reach Label
	// Studio.
	CA string `koanf:"ca"`
}

// On reports whether hone serves HTTPS.
func (t TLS) On() bool { return t.Cert != "" }

// BasicAuth is a user and a password of the user's own choice, taken in place of
// the secret; both fields or neither.
type BasicAuth struct {
	User     string        `koanf:"user"`
	Password secret.Secret `koanf:"password"`
}

// On reports whether callers must authenticate.
func (b BasicAuth) On() bool { return b.User != "" }

// LabelStudio is the server hone works with.
type LabelStudio struct {
	// URL is its address, with its path prefix if it has one; empty: learned
	// from the first /setup.
	URL string `koanf:"url"`
	// APIKey is a legacy token or a personal access token.
	APIKey secret.Secret `koanf:"api_key"`
	// Timeout bounds one attempt of an ordinary request.
	Timeout time.Duration `koanf:"timeout"`
	// SlowTimeout bounds one attempt of a bulk request.
	SlowTimeout time.Duration `koanf:"slow_timeout"`
	// MaxInFlight limits the requests running at once.
	MaxInFlight int `koanf:"max_in_flight"`
	// Retries is how often a request that may be repeated is repeated.
	Retries int `koanf:"retries"`
	// PollInterval is the pause between two polls of a project in which people work, where
	// hone polls.
	PollInterval time.Duration `koanf:"poll_interval"`
}

// Webhook is about what Label Studio sends: webhooks and ML-backend calls.
type Webhook struct {
	// Secret, unless empty, must be in the header Header of every webhook.
	Secret secret.Secret `koanf:"secret"`
	Header string        `koanf:"header"`
	// MaxBody bounds a webhook's body, MaxPredictBody that of /predict.
	MaxBody        Size `koanf:"max_body"`
	MaxPredictBody Size `koanf:"max_predict_body"`
	// StoreTimeout bounds the wait for the disk before a webhook gets a 503.
	StoreTimeout time.Duration `koanf:"store_timeout"`
}

// Learner is about the models.
type Learner struct {
	// Encoder names the features of text: one of Names.Encoders, if need be
	// with an address.
	Encoder string `koanf:"encoder"`
	// OpenAIModel, OpenAIKey and OpenAITimeout are for "openai:": the model's name,
	// the bearer token, and what bounds one attempt of a request.
	OpenAIModel   string        `koanf:"openai_model"`
	OpenAIKey     secret.Secret `koanf:"openai_key"`
	OpenAITimeout time.Duration `koanf:"openai_timeout"`
	// Adapt is "auto" to have the transformer of Encoder or, where that has none, the one that is
	// part of hone adapt to the labels of each project that reads it, or "off".
	Adapt string `koanf:"adapt"`
	// EncodeWorkers is how many batches of texts a slow encoder works on at once in
	// the background.
	EncodeWorkers int `koanf:"encode_workers"`
	// Budget is how long the model is optimized after a batch of changes before its
	// snapshot is published. The rest is done in idle time.
	Budget time.Duration `koanf:"budget"`
}

// Sampler is about what annotators are asked next.
type Sampler struct {
	// Strategy is one of Names.Strategies.
	Strategy string `koanf:"strategy"`
	// Queue is the number of tasks kept in the queue, Head how many of them are
	// written at once; the others when nothing was learned for Settle.
	Queue  int           `koanf:"queue"`
	Head   int           `koanf:"head"`
	Settle time.Duration `koanf:"settle"`
	// RandomShare is the share of random tasks among those asked, 0 to 1.
	RandomShare float64 `koanf:"random_share"`
	// PushRate limits the predictions written a second, over all projects.
	PushRate float64 `koanf:"push_rate"`
	// BackgroundWrites limits the predictions written an hour, over all projects, that
	// nobody waits for: those beside the queue.
	BackgroundWrites int `koanf:"background_writes"`
	// BulkAbove is the number of new predictions from which one bulk import
	// replaces single writes.
	BulkAbove int `koanf:"bulk_above"`
	// CheckEvery is how often Label Studio's settings are compared with what
	// they should be.
	CheckEvery time.Duration `koanf:"check_every"`
	// ManageModelVersion lets hone keep the project's model version at the live
	// one, ManageSampling lets it switch uncertainty sampling on.
	ManageModelVersion bool `koanf:"manage_model_version"`
	ManageSampling     bool `koanf:"manage_sampling"`
}

// Notify is about telling people of problems.
type Notify struct {
	// URL is the incoming webhook of a chat. It carries a token, so it is a secret. Empty:
	// nobody is told.
	URL secret.Secret `koanf:"url"`
}

// Log is about hone's own log.
type Log struct {
	// Level is trace, debug, info, warn or error.
	Level string `koanf:"level"`
	// Format is text, json, or auto: text on a terminal and JSON otherwise.
	Format string `koanf:"format"`
}

// Names are what the keys learner.encoder and sampler.strategy take. Packages that this one
// does not import know them. A nil list takes any name.
type Names struct {
	// Encoders may have an address for the word in capitals after a colon.
	Encoders   []string
	Strategies []string
}

// Default is the configuration of a hone for which nothing was set.
func Default() Config {
	return Config{
		Listen:          ":9090",
		DataDir:         "./hone-data",
		ShutdownTimeout: 10 * time.Second,
		LabelStudio: LabelStudio{
			Timeout:     30 * time.Second,
			SlowTimeout: 15 * time.Minute,
			MaxInFlight: 4,
			Retries:     4,

			PollInterval: time.Second,
		},
		Webhook: Webhook{
			Header:         "X-Hone-Secret",
			MaxBody:        32 << 20,
			MaxPredictBody: 256 << 20,
			StoreTimeout:   900 * time.Millisecond,
		},
		Learner: Learner{
			Encoder:       defaultEncoder,
			OpenAITimeout: 30 * time.Second,
			Adapt:         "auto",
			EncodeWorkers: 1,
			Budget:        3 * time.Millisecond,
		},
		Sampler: Sampler{
			Strategy:           "coverage",
			Queue:              30,
			Head:               5,
			Settle:             time.Second,
			RandomShare:        0.1,
			PushRate:           5,
			BackgroundWrites:   3600,
			BulkAbove:          60,
			CheckEvery:         time.Minute,
			ManageModelVersion: true,
			ManageSampling:     true,
		},
		Cron: Cron{
			Reconcile:     "@every 1m",
			FullReconcile: "@every 1h",
			Retrain:       "0 3 * * *",
			Timezone:      "Local",
		},
		Log: Log{Level: "info", Format: "auto"},
	}
}
