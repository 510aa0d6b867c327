package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
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
	Predict(ctx context.Context, p event.ProjectID, labelConfig string, tasks []event.Task) ([]wire.Prediction, error)
	// Extend answers an annotator who is at work on a task and has drawn regions.
	Extend(ctx context.Context, p event.ProjectID, labelConfig string, task event.Task, drawn []regions.Region) (wire.Prediction, error)
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
	Setup(ctx context.Context, info SetupInfo) (SetupReply, error)
}

// ErrUnusable marks a project that hone cannot work with, such as a label
// config it cannot learn from.
var ErrUnusable = errors.New("unusable project")

// SetupInfo is the content of a /setup call.
type SetupInfo struct {
	Project event.ProjectID
	// CreatedAt is the project's creation time in unix seconds, 0 if not sent.
	CreatedAt   int64
	LabelConfig string
	// Hostname is Label Studio's address as it believes it to be.
	Hostname string
	// AccessToken is the legacy token of the project's creator. Label Studio
	// sends it even when legacy tokens are switched off and it is useless.
	AccessToken secret.Secret
	// PageToken is a token that somebody wrote into the extra parameters of the backend's page,
	// as {"token": "..."}; "" if none.
	PageToken secret.Secret
	// BackendURL is hone's address as Label Studio sees it, without a path.
	BackendURL string
	// Proof says which secret the call carried; on a loopback address a call needs none.
	Proof access.Proof
	// Local is true when the call came from this machine itself, through no proxy
	// that says so.
	Local bool
}

// SetupReply is the answer to /setup.
type SetupReply struct {
	ModelVersion string
	// Hint is what is still to be done before hone can work, a sentence; "" when nothing.
	Hint string
}

// Options configure a Server. Publisher, Predictor, Projects and Adopter are
// required.
type Options struct {
	Publisher Publisher
	Predictor Predictor
	Projects  Projects
	Adopter   Adopter

	// Gate decides who may call what; required.
	Gate *access.Gate
	// Identity answers challenges at /health.
	Identity access.Identity
	// TrustedProxies are believed when they say under which address hone was
	// called.
	TrustedProxies []netip.Prefix
	// Unregistered reports whether a project's registration in Label Studio is not
	// known to carry the secret; with 0, whether any is. It answers at once. Nil:
	// all carry it.
	Unregistered func(p event.ProjectID) bool

	// MaxWebhookBytes bounds a webhook's body, 32 MiB by default.
	MaxWebhookBytes int64
	// MaxPredictBytes bounds the body of /predict, 256 MiB by default: Label
	// Studio sends all selected tasks in one call.
	MaxPredictBytes int64
	// StoreTimeout bounds the wait for storage, 900 ms by default: Label Studio
	// gives up after one second, and an annotator waits for it.
	StoreTimeout time.Duration

	// OnProjectUpdated is called when a webhook says that a project's settings were changed,
	// with its sampling. It must return at once. May be nil.
	OnProjectUpdated func(p event.ProjectID, sampling string)
	// OnPredict is called when Label Studio asks for predictions to keep, not for
	// an interactive one. It must return at once. May be nil.
	OnPredict func(p event.ProjectID, tasks []event.Task)
	// Home answers GET / of a browser and reports whether it did. May be nil.
	Home func(c *gin.Context) bool
	// Logger is logrus' standard logger by default.
	Logger *logrus.Entry
	// Registerer receives the metrics; nil keeps them private.
	Registerer prometheus.Registerer
}

const (
	defaultWebhookBytes = 32 << 20
	defaultPredictBytes = 256 << 20
	defaultStoreTimeout = 900 * time.Millisecond

	// unsignedBytes bounds a body from a caller that proved nothing. It is read
	// only to learn the project.
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

func (o *Options) validate() error {
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
	required(o.Gate == nil, "Gate")
	return errors.Join(errs...)
}

func (o *Options) setDefaults() {
	if o.Unregistered == nil {
		o.Unregistered = func(event.ProjectID) bool { return false }
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
}
