// Package api is hone's own HTTP API beside the Label Studio protocols: what `hone status`
// and the other commands read and request, health, and metrics.
// Field names are a contract that people script against: add, never rename.
package api

import (
	"time"

	"github.com/hone-ml/hone/event"
)

// Project is what hone knows of one project: GET /api/projects/{id}, and what
// `hone status --json` prints.
type Project struct {
	ID    event.ProjectID `json:"id"`
	Title string          `json:"title,omitempty"`
	// Labels counts the annotations the model stands on.
	Labels int `json:"labels"`
	// Pool counts the tasks that nobody has labelled.
	Pool int `json:"pool"`
	// Tasks and Skipped count tasks.
	Tasks   int `json:"tasks"`
	Skipped int `json:"skipped"`
	// ModelVersion is the live version, as Label Studio shows it.
	ModelVersion string `json:"model_version"`
	// Snapshot counts the models published since hone started.
	Snapshot uint64 `json:"snapshot"`
	// OptimalityGap is the most by which any probability can differ from that of
	// training from scratch on the same labels. Null: not known yet.
	OptimalityGap *float64 `json:"optimality_gap"`
	// Settled is true when nothing is left to do: hone has compared itself with Label Studio
	// since it started, all that was heard is learned, the model
	// is at its optimum with the settings the labels ask for, no choice of settings and no
	// retrain is due or running, the labels, their names and the queue have their vectors,
	// and Label Studio holds the queue that this model ranks.
	Settled bool `json:"settled"`
	// SettingsHeld is true after a rollback: the settings are those of the version that
	// was rolled back to, whatever the labels ask for, until somebody asks for a retrain.
	SettingsHeld bool `json:"settings_held,omitempty"`
	// LastEvent is when hone last heard of the project; LastReconcile when it
	// last compared itself with Label Studio. Null: never.
	LastEvent     *time.Time `json:"last_event"`
	LastReconcile *time.Time `json:"last_reconcile"`
	// MissedFound counts changes that no webhook told and a reconcile found.
	MissedFound uint64 `json:"missed_found"`
	// Connection is how hone hears of changes: "webhook" or "poll".
	Connection string `json:"connection"`
	// Poll says how the polls go; absent where Connection is "webhook".
	Poll *Poll `json:"poll,omitempty"`
	// Reconcile is how far the comparison with Label Studio is; absent before the first.
	Reconcile *Reconcile `json:"reconcile,omitempty"`
	// ReconcileFailures counts comparisons that failed since hone started; why the
	// last one did is among the Problems.
	ReconcileFailures int    `json:"reconcile_failures,omitempty"`
	Heads             []Head `json:"heads"`
	// Unlearnable are the controls hone leaves alone, each with the reason.
	Unlearnable []Unlearnable `json:"unlearnable,omitempty"`
	// Refused are answers that no model can take and that were passed over, the first
	// of RefusedCount.
	Refused      []Refused `json:"refused,omitempty"`
	RefusedCount int       `json:"refused_count,omitempty"`
	Queue        Queue     `json:"queue"`
	// Predictions is how far what Label Studio stores says what the model says; absent
	// before the first look.
	Predictions *Predictions `json:"predictions,omitempty"`
	Retrain     Retrain      `json:"retrain"`
	// Encoding is how far a slow encoder is; absent with one that is not.
	Encoding *Encoding `json:"encoding,omitempty"`
	// Adapted is to what the transformer has adapted; absent where it has not and does not.
	Adapted *Adapted `json:"adapted,omitempty"`
	// Backlog counts received events not yet learned.
	Backlog uint64 `json:"backlog"`
	// DeadLetters counts events, of all projects, that could not be handled.
	DeadLetters int `json:"dead_letters"`
	// Problems are things to mend, each a sentence.
	Problems []string `json:"problems,omitempty"`
	// Annotations say how many there are, and why not all of them are learned from.
	Annotations Annotations `json:"annotations"`
	// Suggestions say what annotators made of those they started from.
	Suggestions Suggestions `json:"suggestions"`
	// TasksWithoutText and IdenticalPairs count the tasks that nothing can be learned of
	// or predicted for: no learned control finds a readable text, or the two texts that
	// are to be compared are the same.
	TasksWithoutText int `json:"tasks_without_text"`
	IdenticalPairs   int `json:"identical_pairs"`
	// Settings are what can be set for the project, each with its value and default.
	Settings []Setting `json:"settings,omitempty"`
	// Guard is how the strategy compares with random.
	Guard *Guard `json:"guard,omitempty"`
	// Odds says how far draws with known odds are; absent where nothing was drawn and nothing is to be.
	Odds *Odds `json:"odds,omitempty"`
	// LeftAlone says why hone writes nothing to the project until it is connected again:
	// "backend deleted" or "disconnected"; absent when it writes.
	LeftAlone string `json:"left_alone,omitempty"`
}

// Poll is how hone's reading of changes goes, of a project that it polls.
type Poll struct {
	// IntervalSeconds is the least pause between two polls now.
	IntervalSeconds float64 `json:"interval_seconds"`
	// Last is when the last poll began that succeeded. Null: none did since the start.
	Last *time.Time `json:"last"`
	// FailingSince is when the first of the polls failed that failed in a row, and Error why
	// the last one did; absent when the last one succeeded.
	FailingSince *time.Time `json:"failing_since,omitempty"`
	Error        string     `json:"error,omitempty"`
}

// Annotations counts a project's annotations, each once. Seen is the sum of the others.
type Annotations struct {
	Seen    int `json:"seen"`
	Learned int `json:"learned"`
	// Skipped were skipped by their annotator.
	Skipped int `json:"skipped"`
	// FromPredictions were made from predictions in bulk: nobody looked at them.
	FromPredictions int `json:"from_predictions"`
	// Excluded are not to be learned from, as the project's settings say.
	Excluded int `json:"excluded"`
	// Unanswered say nothing of a control that is learned, or that their annotator saw.
	Unanswered int `json:"unanswered"`
	// Refused have an answer that no model can take.
	Refused int `json:"refused"`
	// NoText and IdenticalPair are of tasks that lack a readable text, or a difference
	// between the two texts to compare.
	NoText        int `json:"no_text"`
	IdenticalPair int `json:"identical_pair"`
	// NoControl were found while the label config has no control that is learned.
	NoControl int `json:"no_control"`
}

// Suggestions counts the annotations that people made of suggestions.
type Suggestions struct {
	// Accepted have all their regions as suggested. What was removed beside them leaves no
	// trace.
	Accepted int `json:"accepted"`
	// Changed have regions that were suggested, and some that were changed or added.
	Changed int `json:"changed"`
	// Rejected have only regions that were not suggested.
	Rejected int `json:"rejected"`
	// Empty have no region: all were removed, or none was suggested.
	Empty int `json:"empty"`
}

// Reconcile is the state of the comparison with Label Studio.
type Reconcile struct {
	Running bool `json:"running"`
	// Read counts the tasks read by the run that runs, or by the last one, of Total.
	Read  int `json:"read"`
	Total int `json:"total"`
	// SecondsLeft is about how long the run that runs still takes, at the rate so far.
	SecondsLeft float64 `json:"seconds_left,omitempty"`
	// LastFull is when the last run began that compared all ids and times, LastContents
	// one that compared everything, LastRebuild one that read everything anew. Null: not
	// since hone started.
	LastFull     *time.Time `json:"last_full"`
	LastContents *time.Time `json:"last_contents"`
	LastRebuild  *time.Time `json:"last_rebuild"`
}

// Listing is GET /api/projects.
type Listing struct {
	Projects []Project `json:"projects"`
	// Problems are those of hone as a whole, each a sentence.
	Problems []string `json:"problems,omitempty"`
}

// Rotation is GET /api/secret: how far the secret of Label Studio's calls has come
// into its registrations. The secret itself is told to nobody.
type Rotation struct {
	// Rotating is true while an old secret still counts.
	Rotating bool           `json:"rotating"`
	Projects []Registration `json:"projects"`
}

// SignInLink is POST /api/sign-in-link: a link that signs somebody in to hone's page, as whoever has the
// admin token, once.
type SignInLink struct {
	// Path comes after hone's address, and begins without a slash.
	Path string    `json:"path"`
	Ends time.Time `json:"ends"`
}

// Registration is one project's registration in Label Studio.
type Registration struct {
	Project event.ProjectID `json:"project"`
	// Carries is true once Label Studio is known to send the current secret;
	// Problem is why it does not.
	Carries bool   `json:"carries"`
	Problem string `json:"problem,omitempty"`
}

// Head is the model of one control tag. Its scores are progressive: each label is
// predicted before it is learned; the recent ones look about 50 labels back. Null:
// no label yet, or none of its kind. Accuracy is the share of answers that were
// exactly right, of a Number near enough: within a step or a tenth of its range.
// ECE is the expected calibration error; MAE and RMSE, of Rating and Number, are
// the mean absolute error and the root of the mean squared one.
type Head struct {
	Control        string   `json:"control"`
	Type           string   `json:"type"`
	Labels         []string `json:"labels"`
	Examples       int      `json:"examples"`
	Ridge          float64  `json:"ridge"`
	Accuracy       *float64 `json:"accuracy"`
	MacroF1        *float64 `json:"macro_f1"`
	LogLoss        *float64 `json:"log_loss"`
	ECE            *float64 `json:"ece"`
	MAE            *float64 `json:"mae"`
	RMSE           *float64 `json:"rmse"`
	RecentAccuracy *float64 `json:"recent_accuracy"`
	RecentMacroF1  *float64 `json:"recent_macro_f1"`
	RecentLogLoss  *float64 `json:"recent_log_loss"`
	RecentECE      *float64 `json:"recent_ece"`
	RecentMAE      *float64 `json:"recent_mae"`
	RecentRMSE     *float64 `json:"recent_rmse"`
	// PoolAccuracy estimates the accuracy over all tasks; the scores above are of those that
	// were asked about, mostly because the model was unsure of them. Absent before the
	// first label.
	PoolAccuracy *PoolAccuracy `json:"pool_accuracy,omitempty"`
	// Silent are labels that the settings keep from annotators now; SuggestsNothing is true
	// when nothing of the control is suggested. Precision is that of each label among
	// recent predictions, where the settings go by it.
	Silent          []string           `json:"silent,omitempty"`
	SuggestsNothing bool               `json:"suggests_nothing,omitempty"`
	Precision       map[string]float64 `json:"precision,omitempty"`
	// Described is how many labels have lines that say what they mean, Hinted how many of the
	// others have a hint in the label config.
	Described int `json:"described,omitempty"`
	Hinted    int `json:"hinted,omitempty"`
}

// PoolAccuracy is an estimate of the share of a project's tasks that a control's model answers
// exactly right, from the labelled tasks that were drawn at random. Each is predicted by a model
// of all other labels.
type PoolAccuracy struct {
	// Estimate and the bounds of its 95 % confidence interval are null while no labelled
	// task was drawn at random.
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
	// Random is the number of labelled tasks that it comes from, Labels how many labels the
	// model had.
	Random int `json:"random"`
	Labels int `json:"labels"`
}

// AccuracyHistory is GET /api/projects/{id}/accuracy: how the accuracy rose with the labels.
type AccuracyHistory struct {
	// Points are in the order of their labels, at most 500.
	Points []AccuracyPoint `json:"points"`
}

// AccuracyPoint is the accuracy at one number of labels.
type AccuracyPoint struct {
	Labels int       `json:"labels"`
	At     time.Time `json:"at"`
	// Pool is the PoolAccuracy, and Asked the accuracy over the tasks that were asked
	// about, by control.
	Pool  map[string]PoolAccuracy `json:"pool"`
	Asked map[string]float64      `json:"asked"`
}

// Odds says how far the draws with known odds of a project are.
type Odds struct {
	// On is true while tasks are drawn. Where odds are set and nothing can be drawn, Reason says why.
	On     bool   `json:"on"`
	Reason string `json:"reason,omitempty"`
	// Draws counts all draws, and Open those that may still be answered.
	Draws int `json:"draws"`
	Open  int `json:"open"`
}

// Shares is GET /api/projects/{id}/shares: how common labels are among all tasks, by the answers to tasks that
// were drawn with known odds.
type Shares struct {
	Odds Odds `json:"odds"`
	// Tasks is how many tasks the shares are of: all that were not skipped.
	Tasks    int             `json:"tasks"`
	Controls []ControlShares `json:"controls"`
}

// ControlShares are those of one control, in the order of its labels; of several labels a task each
// has a share of its own. There are none while Draws is 0.
type ControlShares struct {
	Control string       `json:"control"`
	Shares  []LabelShare `json:"shares"`
	// Draws is how many draws count. Missing are drawn tasks that were skipped or deleted, or whose answer says nothing of
	// the control. Waiting are the draws from the first on that nobody has answered yet: draws count in
	// the order in which they were drawn.
	Draws   int `json:"draws"`
	Missing int `json:"missing"`
	Waiting int `json:"waiting"`
}

// LabelShare is a label's share of the tasks, 0 to 1, with the bounds of its 95 % confidence interval.
type LabelShare struct {
	Label    string  `json:"label"`
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// Guard is how a project's strategy compares with random, by the answers to tasks that were
// drawn at random.
type Guard struct {
	// State is "comparing", "left" when the strategy was worse and random took its place, or
	// "off" when there is nothing to compare.
	State string `json:"state"`
	// Reason says in a sentence why it is off, or why the strategy was left and how to go back;
	// empty while it compares.
	Reason string `json:"reason"`
	// Strategy is the configured one, Since when its comparison began. Null: not yet.
	Strategy string     `json:"strategy"`
	Since    *time.Time `json:"since"`
	// LeftAt is when it was left, and LeftLabels the number of labels then. Null: it was not.
	LeftAt     *time.Time `json:"left_at"`
	LeftLabels int        `json:"left_labels"`
	// RandomAnswers and AskedAnswers count the labelled tasks since then that were drawn at
	// random, and that the strategy chose. StrategyShare is the part of the latter; null without any.
	RandomAnswers int            `json:"random_answers"`
	AskedAnswers  int            `json:"asked_answers"`
	StrategyShare *float64       `json:"strategy_share"`
	Controls      []GuardControl `json:"controls"`
}

// GuardControl compares two models of one control: one of random answers, and one of as many that the
// strategy asked for. Each of Trials random answers was predicted by both before they learned it.
type GuardControl struct {
	Control string `json:"control"`
	Trials  int    `json:"trials"`
	// AskedAccuracy and RandomAccuracy are the shares that each model had right, Difference the first
	// less the second. Each of Low and High bounds it, at every look at once, with 95 %
	// confidence, for all controls together.
	AskedAccuracy  float64 `json:"asked_accuracy"`
	RandomAccuracy float64 `json:"random_accuracy"`
	Difference     float64 `json:"difference"`
	Low            float64 `json:"low"`
	High           float64 `json:"high"`
	// LabelsSaved is how many of Trials labels the strategy saves; it is negative when it wastes
	// them. It is a point figure, without an interval. Null: there are too few trials.
	LabelsSaved *int `json:"labels_saved"`
}

// Unlearnable is a control hone does not learn, and why.
type Unlearnable struct {
	Control string `json:"control"`
	Type    string `json:"type"`
	Reason  string `json:"reason"`
}

// Refused is an answer to a task that a control's model cannot take.
type Refused struct {
	Task    event.TaskID `json:"task"`
	Control string       `json:"control"`
	Reason  string       `json:"reason"`
}

// Queue is what should be labelled next, best first.
type Queue struct {
	// Labels is how many labels the model knew that ranked this queue.
	Labels int `json:"labels"`
	// Strategy is the one that is configured, RankedBy the one that ranked the queue: margin
	// where it stands in for one that needs vectors, while fewer than half of the tasks have
	// one, and random while the model knows nothing; absent before the first ranking.
	Strategy string `json:"strategy"`
	RankedBy string `json:"ranked_by,omitempty"`
	// Tasks in order; Pushed is how many of them Label Studio has in this order.
	Tasks  []event.TaskID `json:"tasks"`
	Pushed int            `json:"pushed"`
	// Confidences are how sure the model that ranked the queue is of its answer to each of
	// Tasks, 0 to 1; null where it abstains. The scores that Label Studio has of the
	// queue's predictions are an order and no confidence.
	Confidences []*float64 `json:"confidences"`
	// Reasons are why each of Tasks is asked.
	Reasons []Reason `json:"reasons"`
	// Random are those that are in the queue by chance, to measure against.
	Random   []event.TaskID `json:"random,omitempty"`
	LastPush *time.Time     `json:"last_push"`
	// ReadySeconds is from hearing the last label to the ranked queue, hone's own
	// part; LagSeconds to its head standing in Label Studio.
	ReadySeconds float64 `json:"ready_seconds"`
	LagSeconds   float64 `json:"lag_seconds"`
	// Error is why pushing does not work now; empty when it does.
	Error string `json:"error,omitempty"`
}

// Reason is why a task is in the queue.
type Reason struct {
	// Kind is "uncertain": the model is unsure of its answer; "novel": the task is unlike
	// anything labelled, and its answer no more in doubt than others; "covers": it is near many tasks
	// of which the model is unsure; "typical": it is typical of a group of tasks with the fewest
	// labels; "balance": it is likely to have a label that few labelled tasks have; "random": it
	// was drawn without looking at the model, to measure against; "drawn": it was drawn with known odds;
	// "unknown": the model has nothing to say of it.
	Kind string `json:"kind"`
	// Text says it in a few words, with names of labels as people wrote them: escape it where
	// it is shown.
	Text string `json:"text"`
	// Control is the one whose answer is in doubt, or whose labels are balanced; names are at
	// most 42 characters long.
	Control string `json:"control,omitempty"`
	// Between are the two labels in doubt, the likelier one first; the one label of several that
	// may hold; or the one that is lacking. With Levels, of a Rating, they are two sides: the first label
	// and all lower ones, the second and all higher ones, with the probabilities of the sides.
	Between []LabelProbability `json:"between,omitempty"`
	Levels  bool               `json:"levels,omitempty"`
	// Odds are the probability with which it was drawn, of "drawn".
	Odds float64 `json:"odds,omitempty"`
	// Certainty is that of an answer that is no label, 0 to 1.
	Certainty *float64 `json:"certainty,omitempty"`
	// GroupLabels is how many labels the group has, of "typical", with the tasks before it in the
	// queue. Labelled is how many labelled tasks have the label, of "balance".
	GroupLabels int `json:"group_labels,omitempty"`
	Labelled    int `json:"labelled,omitempty"`
}

// Predictions is the state of the predictions that Label Studio stores of hone's versions.
type Predictions struct {
	// QueueDiffering counts places of the queue whose stored suggestion is not what the
	// model says now, OthersDiffering other predictions, of Others.
	QueueDiffering  int `json:"queue_differing"`
	OthersDiffering int `json:"others_differing"`
	Others          int `json:"others"`
	// DifferingSeconds is for how long the oldest of them has been known to differ.
	DifferingSeconds float64 `json:"differing_seconds"`
	// Staging is the version whose predictions are made before the project goes by it, ""
	// when none is; StagingLeft is how many tasks still lack theirs.
	Staging     string `json:"staging,omitempty"`
	StagingLeft int    `json:"staging_left,omitempty"`
	// Prelabel is what came of `hone prelabel`; absent when hone was not asked since it
	// started, and nothing was left to do then.
	Prelabel *Prelabel `json:"prelabel,omitempty"`
}

// Prelabel is how far the making of predictions for all tasks is.
type Prelabel struct {
	Asked time.Time `json:"asked"`
	// Done is when all had been made, and counted in Label Studio. Null: not yet.
	Done *time.Time `json:"done"`
	// Tasks counts all tasks, Predicted those that have a prediction of Version beside the
	// queue's, Abstained those of which the model says nothing, Refused those that Label
	// Studio takes no prediction for.
	Tasks     int    `json:"tasks"`
	Predicted int    `json:"predicted"`
	Abstained int    `json:"abstained"`
	Refused   int    `json:"refused"`
	Version   string `json:"version"`
	// Fault is why it was given up, a sentence; empty when it was not.
	Fault string `json:"fault,omitempty"`
}

// Adapted is to which labels of a project the transformer has adapted.
type Adapted struct {
	// Control is the one whose labels they are, Labels how many of them, the first ones; 0
	// before the first time.
	Control string `json:"control"`
	Labels  int    `json:"labels"`
	// At is when it had adapted; null before.
	At *time.Time `json:"at"`
	// Accuracy is held-out accuracy on those labels, and AccuracyWithout that of a model that
	// reads the transformer as it was. Null before.
	Accuracy        *float64 `json:"accuracy"`
	AccuracyWithout *float64 `json:"accuracy_without"`
	// AdaptingTo is how many labels it is adapting to now, 0 while it is not.
	AdaptingTo int `json:"adapting_to"`
}

// Encoding is how far a slow encoder is with a project's texts.
type Encoding struct {
	// Encoder is its name.
	Encoder string `json:"encoder"`
	// Tasks is how many there are, Encoded how many of them are known to have all their
	// vectors; Done is true when nothing is left.
	Tasks   int  `json:"tasks"`
	Encoded int  `json:"encoded"`
	Done    bool `json:"done"`
	// PerSecond is how many texts were encoded a second, lately.
	PerSecond float64 `json:"per_second"`
	// SecondsLeft is about how long the rest takes at that rate.
	SecondsLeft float64 `json:"seconds_left,omitempty"`
	// Fault is why it does not go on now; empty when it does.
	Fault string `json:"fault,omitempty"`
}

// Retrain is the state of the full retrain.
type Retrain struct {
	Running bool `json:"running"`
	// Progress is 0 to 1 while running.
	Progress float64 `json:"progress"`
	// Waiting is what it waits for, a sentence; empty when it waits for nothing. When
	// Running is false it has been done without that, and is to be done again.
	Waiting string `json:"waiting,omitempty"`
	// Last is when the last one ended, Outcome what came of it.
	Last    *time.Time `json:"last"`
	Outcome string     `json:"outcome,omitempty"`
}

// Version is one entry of `hone versions`.
type Version struct {
	Name      string             `json:"name"`
	Live      bool               `json:"live"`
	CreatedAt time.Time          `json:"created_at"`
	Reason    string             `json:"reason"`
	Labels    int                `json:"labels"`
	Accuracy  map[string]float64 `json:"accuracy,omitempty"`
	// AdaptedLabels is to how many labels the transformer had adapted, 0 for none.
	AdaptedLabels int `json:"adapted_labels,omitempty"`
	// AccuracyMissing says why there is no Accuracy; empty when there is.
	AccuracyMissing string `json:"accuracy_missing,omitempty"`
}

// DeadLetter is an event that could not be handled, with the reason.
type DeadLetter struct {
	ID     uint64    `json:"id"`
	Topic  string    `json:"topic"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	Event  string    `json:"event"`
}

// LoginRequest gives hone a Label Studio to work with.
type LoginRequest struct {
	// URL is its address as hone reaches it.
	URL string `json:"url"`
	// Token is a personal access token or a legacy token.
	Token string `json:"token"`
}

// ConnectRequest asks to register hone with a project.
type ConnectRequest struct {
	// URL is hone's address as Label Studio sees it; not needed with Poll.
	URL string `json:"url"`
	// Poll has hone read the changes itself: Label Studio need not reach it.
	Poll bool `json:"poll,omitempty"`
}

// Step is one thing `hone connect` did or found, or one check of `hone doctor`.
type Step struct {
	// Level is "ok", "warn" or "fail".
	Level string `json:"level"`
	// Name is the thing, What the finding, Fix what to do about it.
	Name string `json:"name"`
	What string `json:"what"`
	Fix  string `json:"fix,omitempty"`
}

// Report is the outcome of connect or doctor.
type Report struct {
	Project event.ProjectID `json:"project,omitempty"`
	Steps   []Step          `json:"steps"`
}

// Failed reports whether any step failed.
func (r Report) Failed() bool {
	for _, s := range r.Steps {
		if s.Level == "fail" {
			return true
		}
	}
	return false
}

// VersionList is GET /api/projects/{id}/versions: oldest first.
type VersionList struct {
	Versions []Version `json:"versions"`
}

// DeadLetterList is GET /api/deadletters.
type DeadLetterList struct {
	DeadLetters []DeadLetter `json:"dead_letters"`
}

// DeadLetterIDs says which dead letters to replay or to drop; none means all.
type DeadLetterIDs struct {
	IDs []uint64 `json:"ids"`
}

// Count says of how many dead letters something was done.
type Count struct {
	Count int `json:"count"`
}

// Accepted answers an order that is in the log and is carried out in its turn. At is the
// order's time.
type Accepted struct {
	At     time.Time `json:"at"`
	Status string    `json:"status"`
}

// Probe answers GET /healthz and GET /readyz.
type Probe struct {
	Status string `json:"status"`
}

// Error is the body of every answer that is not 2xx.
type Error struct {
	Error string `json:"error"`
}
