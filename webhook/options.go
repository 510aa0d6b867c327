package webhook

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// Publisher stores events. Publish returns nil only once all of them are
// durable. It is called from many goroutines, and may be called again with
// events that an earlier, failed call did store.
type Publisher interface {
	Publish(ctx context.Context, events ...event.Event) error
}

// Predictor answers /predict from the last snapshot, without waiting for
// learning. It returns one prediction per task, in order; a nil Result
// abstains. labelConfig is what Label Studio sent along, empty if it did not.
// It is called from many goroutines.
type Predictor interface {
	Predict(ctx context.Context, p event.ProjectID, labelConfig string, tasks []event.Task) ([]labelstudio.Prediction, error)
	// Extend answers an annotator who is at work on a task and has drawn regions.
	Extend(ctx context.Context, p event.ProjectID, labelConfig string, task event.Task, drawn []labelstudio.Region) (labelstudio.Prediction, error)
}

// Projects says what hone knows, from memory: both methods answer at once and
// are called from many goroutines.
type Projects interface {
	// Projects are the ids of the connected projects, in any order.
	Projects() []event.ProjectID
	// Versions are the names of a project's versions, oldest first.
	Versions(p event.ProjectID) []string
}

// Adopter is told of a project when Label Studio calls /setup, which it does
// often. It must return within about two seconds and do no model work. The
// returned model version is what Label Studio stores for the backend.
//
// An error that wraps ErrUnusable is the user's to mend and is shown to him as
// it is; any other is taken for a failure of hone.
type Adopter interface {
	Setup(ctx context.Context, info SetupInfo) (modelVersion string, err error)
}

// ErrUnusable marks a project that hone cannot work with, such as a label
// config it cannot learn from.
var ErrUnusable = errors.New("unusable project")

// SetupInfo is what /setup says.
type SetupInfo struct {
	Project event.ProjectID
	// CreatedAt is the project's creation time in unix seconds, 0 if not sent.
	CreatedAt   int64
	LabelConfig string
	// Hostname is Label Studio's address as it believes it to be.
	Hostname string
	// AccessToken is the legacy token of the project's creator. Label Studio
	// sends it even when legacy tokens are switched off and it is useless.
	AccessToken labelstudio.Secret
	// BackendURL is hone's address as Label Studio sees it, without a path.
	BackendURL string
}

// Options configure a Server. Publisher, Predictor, Projects and Adopter are
// required.
type Options struct {
	Publisher Publisher
	Predictor Predictor
	Projects  Projects
	Adopter   Adopter

	// Secret, unless empty, must be the value of the header SecretHeader in
	// every webhook.
	Secret string
	// SecretHeader is X-Hone-Secret by default.
	SecretHeader string
	// BasicUser and BasicPass guard the ML-backend protocol; both or neither.
	BasicUser, BasicPass string

	// MaxWebhookBytes bounds a webhook's body, 32 MiB by default.
	MaxWebhookBytes int64
	// MaxPredictBytes bounds the body of /predict, 256 MiB by default: Label
	// Studio sends all selected tasks in one call.
	MaxPredictBytes int64
	// StoreTimeout bounds the wait for storage, 900 ms by default: Label Studio
	// gives up after one second, and an annotator waits for it.
	StoreTimeout time.Duration

	// OnPredict is called when Label Studio asks for predictions to keep, not for
	// an interactive one. It must return at once. May be nil.
	OnPredict func(p event.ProjectID, tasks []event.Task)
	// OnUnsigned is called, one call at a time and at most every ten seconds
	// for a project, when webhooks of a known project came without the secret. ctx
	// ends when the server is closed. May be nil.
	OnUnsigned func(ctx context.Context, p event.ProjectID)

	// Logger is logrus' standard logger by default.
	Logger *logrus.Entry
	// Registerer receives the metrics; nil keeps them private.
	Registerer prometheus.Registerer
}

const (
	defaultSecretHeader = "X-Hone-Secret"
	defaultWebhookBytes = 32 << 20
	defaultPredictBytes = 256 << 20
	defaultStoreTimeout = 900 * time.Millisecond

	// unsignedBytes bounds a body from a caller that proved nothing. It is read
	// only to learn the project, and whether it is START_TRAINING.
	unsignedBytes = 1 << 20
	// setupBytes bounds /setup and /train.
	setupBytes = 8 << 20
	// setupTimeout stays under Label Studio's three seconds.
	setupTimeout = 2500 * time.Millisecond
	// reconcileSpacing keeps a stream of faults from becoming a stream of
	// reconciles.
	reconcileSpacing = 10 * time.Second
	// duplicateWindow covers the time between two hooks of one event: Label
	// Studio calls them one after the other, each within a second.
	duplicateWindow = 30 * time.Second
	duplicateKeys   = 8192
	// maxStoring bounds the writes under way when storage hangs.
	maxStoring = 1024
)

// headerName is what Label Studio accepts as the name of a webhook's header.
var headerName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func (o Options) withDefaults() (Options, error) {
	var errs []error
	required := func(missing bool, name string) {
		if missing {
			errs = append(errs, fmt.Errorf("webhook: Options.%s is required", name))
		}
	}
	required(o.Publisher == nil, "Publisher")
	required(o.Predictor == nil, "Predictor")
	required(o.Projects == nil, "Projects")
	required(o.Adopter == nil, "Adopter")
	if (o.BasicUser == "") != (o.BasicPass == "") {
		errs = append(errs, errors.New("webhook: Basic auth needs both a user and a password: Label Studio sends neither unless both are set"))
	}
	if o.SecretHeader == "" {
		o.SecretHeader = defaultSecretHeader
	}
	if !headerName.MatchString(o.SecretHeader) {
		errs = append(errs, fmt.Errorf("webhook: Label Studio refuses a header named %q: use letters, digits, - and _", o.SecretHeader))
	}
	if o.MaxWebhookBytes <= 0 {
		o.MaxWebhookBytes = defaultWebhookBytes
	}
	if o.MaxPredictBytes <= 0 {
		o.MaxPredictBytes = defaultPredictBytes
	}
	if o.StoreTimeout <= 0 {
		o.StoreTimeout = defaultStoreTimeout
	}
	if o.Logger == nil {
		o.Logger = logrus.NewEntry(logrus.StandardLogger())
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	return o, errors.Join(errs...)
}
