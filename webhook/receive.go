package webhook

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/wire"
)

var okBody = []byte(`{"status":"ok"}`)

// webhook stores the events of a webhook. It answers 200 once they are on disk, and does
// nothing else with them.
func (s *Server) webhook(c *gin.Context) {
	start := time.Now()
	defer func() { s.metrics.ack.Observe(time.Since(start).Seconds()) }()

	if !isTrusted(c) { // while registrations are being given the secret
		s.refuseUnsigned(c)
		return
	}
	body, f := readJSON(c, s.o.MaxWebhookBytes)
	if f != nil {
		s.refuseHook(c, f)
		return
	}
	settled := true
	defer func() {
		if settled { // else the write still refers to it
			releaseBuffer(body)
		}
	}()

	key := s.dedupe.key(body.Bytes())
	if action, again := s.dedupe.find(key, start); again {
		s.metrics.received.WithLabelValues(action).Inc()
		s.metrics.duplicates.Inc()
		s.duplicates.Add(1)
		c.Data(http.StatusOK, jsonType, okBody)
		return
	}
	hook, err := wire.DecodeHook(body.Bytes(), start.UTC())
	if err != nil {
		s.refuseHook(c, &refusal{http.StatusBadRequest, refusedMalformed, shortenTo(err.Error(), 300)})
		return
	}
	action := actionLabel(hook)
	events := eventsOf(hook, start.UTC())
	if len(events) > 0 {
		if settled, err = s.publish(c.Request.Context(), events...); err != nil {
			s.refuseUnstored(c, hook, err)
			return
		}
		if canDedupe(hook) {
			s.dedupe.record(key, action, time.Now())
		}
	}
	s.metrics.received.WithLabelValues(action).Inc()
	c.Data(http.StatusOK, jsonType, okBody)
	if s.o.OnProjectUpdated != nil && hook.Action == "PROJECT_UPDATED" && hook.Sampling != nil {
		s.o.OnProjectUpdated(hook.Project, *hook.Sampling)
	}
}

// refuseHook answers a webhook, of a caller with the secret, whose body cannot be used. Its content is lost unless a
// reconcile finds it.
func (s *Server) refuseHook(c *gin.Context, f *refusal) {
	s.metrics.refused.WithLabelValues(f.reason).Inc()
	if f.reason != refusedContentType { // Label Studio sends nothing but JSON
		s.reconciles.Add(0, "a webhook was refused: "+f.reason)
	}
	status := f.status
	if f.reason == refusedTooLarge {
		// An event of Label Studio that is dropped. It is not sent again, and Label Studio
		// switches off a webhook that fails often enough.
		status = http.StatusOK
	}
	failInBody(c, status, f.sentence)
}

func (s *Server) refuseUnstored(c *gin.Context, hook wire.Hook, err error) {
	s.metrics.refused.WithLabelValues(refusedStorage).Inc()
	sentence := "hone could not store this event; it will compare the project with Label Studio once storage works"
	if errors.Is(err, errStoreTimeout) {
		sentence = "hone's storage is too slow; it will compare the project with Label Studio"
	}
	if hook.Train {
		failInStatusLine(c, http.StatusServiceUnavailable, "hone could not store the request to train; try again once its storage works")
		return
	}
	s.reconciles.Add(hook.Project, "webhooks could not be stored")
	failInBody(c, http.StatusServiceUnavailable, sentence)
}

// publish stores events. It logs when storage begins to fail and when it works again, but
// not each failure, since the log may be on the same disk.
func (s *Server) publish(ctx context.Context, events ...event.Event) (settled bool, err error) {
	settled, changed, err := s.publisher.publish(ctx, events...)
	switch {
	case changed && err != nil:
		s.log.WithError(err).Error("events cannot be stored; webhooks are answered with 503 until they can")
	case changed:
		s.log.Info("events can be stored again")
		s.reconciles.retryNow()
	}
	return settled, err
}

// askReconcile is the action of s.reconciles. It asks for a comparison of all ids, because
// a lost deletion leaves no other trace.
func (s *Server) askReconcile(ctx context.Context, p event.ProjectID, why string) error {
	_, err := s.publish(ctx, &event.ReconcileDue{Project: p, At: time.Now().UTC(), Full: true, Reason: why})
	return err
}

// actionLabel returns the metric's label of an action. Words that hone does not know become
// one label.
func actionLabel(h wire.Hook) string {
	if h.Ignored {
		return "unknown"
	}
	return h.Action
}

// eventsOf returns the events that a webhook stands for; none for actions that do not
// concern hone.
func eventsOf(h wire.Hook, at time.Time) []event.Event {
	var events []event.Event
	if h.Changed != nil {
		events = append(events, h.Changed)
	}
	if h.Train {
		events = append(events, &event.RetrainDue{Project: h.Project, At: at, Reason: "Start training in Label Studio"})
	}
	if h.NeedsReconcile {
		events = append(events, &event.ReconcileDue{
			Project: h.Project, At: at, Reason: h.Reason,
			// A deleted task leaves no other trace than its missing id.
			Full: strings.HasSuffix(h.Action, "_DELETED"),
		})
	}
	return events
}

// canDedupe reports whether an equal body within a short time can only be the same event:
// the body names tasks or annotations with the time of their last change, or as deleted.
func canDedupe(h wire.Hook) bool {
	c := h.Changed
	return c != nil && !h.Train && len(c.Tasks)+len(c.Annotations)+len(c.DeletedTasks)+len(c.DeletedAnnotations) > 0
}
