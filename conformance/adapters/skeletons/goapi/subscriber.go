// A subscriber of sttp/goapi for the conformance suite: subscriber dial|listen HOST PORT.
//
// A skeleton: written against the published interface, not compiled or run where it was written. To build it:
//
//	go get github.com/sttp/goapi@latest && go build -o subscriber .
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sttp/goapi/sttp"
	"github.com/sttp/goapi/sttp/data"
	"github.com/sttp/goapi/sttp/transport"
)

const everything = "FILTER ActiveMeasurements WHERE True"
const patience = 8 * time.Second

// What the application has been told since it was asked last.
var (
	lock         sync.Mutex
	measurements = []any{}
	events       = []any{}
	accepted     = make(chan struct{}, 16)
	catalogues   = make(chan []string, 16)
)

func told(name string, fields map[string]any) {
	event := map[string]any{"event": name}
	for key, value := range fields {
		event[key] = value
	}
	lock.Lock()
	events = append(events, event)
	lock.Unlock()
}

// In reports the words NaN, Infinity and -Infinity stand for what is no number in JSON.
func value(number float64) any {
	switch {
	case math.IsNaN(number):
		return "NaN"
	case math.IsInf(number, 1):
		return "Infinity"
	case math.IsInf(number, -1):
		return "-Infinity"
	}
	return number
}

func text(id fmt.Stringer) string {
	return strings.ToLower(strings.Trim(id.String(), "{}"))
}

func milliseconds(variable string, otherwise int32) int32 {
	if seconds, err := strconv.ParseFloat(os.Getenv(variable), 64); err == nil {
		return int32(seconds * 1000)
	}
	return otherwise
}

func isTrue(variable string, otherwise bool) bool {
	if asked := os.Getenv(variable); asked != "" {
		return asked == "true"
	}
	return otherwise
}

func configured() (*sttp.Config, *sttp.Settings) {
	config, settings := sttp.NewConfig(), sttp.NewSettings()
	config.RetryInterval = milliseconds("STTP_REDIAL_BASE", config.RetryInterval)
	config.MaxRetryInterval = milliseconds("STTP_REDIAL_CAP", config.MaxRetryInterval)
	if version, err := strconv.Atoi(os.Getenv("STTP_VERSION")); err == nil {
		config.Version = byte(version)
	}
	if asked := os.Getenv("STTP_DATA"); asked != "" {
		config.CompressPayloadData = asked == "tssc"
	}
	settings.IncludeTime = isTrue("STTP_INCLUDE_TIME", settings.IncludeTime)
	settings.UseMillisecondResolution = isTrue("STTP_MILLISECONDS", settings.UseMillisecondResolution)
	settings.RequestNaNValueFilter = isTrue("STTP_NAN_FILTER", settings.RequestNaNValueFilter)
	return config, settings
}

func listen(subscriber *sttp.Subscriber) {
	toStderr := func(message string) { fmt.Fprintln(os.Stderr, message) }
	subscriber.SetStatusMessageLogger(toStderr)
	subscriber.SetErrorMessageLogger(toStderr)
	subscriber.SetConnectionEstablishedReceiver(func() { told("connected", nil) })
	subscriber.SetConnectionTerminatedReceiver(func() { told("disconnected", map[string]any{"reason": ""}) })
	subscriber.SetConfigurationChangedReceiver(func() { told("configuration-changed", nil) })
	subscriber.SetHistoricalReadCompleteReceiver(func() { told("processing-complete", map[string]any{"text": ""}) })
	subscriber.SetNotificationReceiver(func(said string) { told("notification", map[string]any{"text": said}) })
	// The nearest to "Subscribe was accepted" that the interface has: its signal index cache has come.
	subscriber.SetSubscriptionUpdatedReceiver(func(*transport.SignalIndexCache) {
		told("subscription-accepted", map[string]any{"text": ""})
		select {
		case accepted <- struct{}{}:
		default:
		}
	})
	subscriber.SetMetadataReceiver(func(dataSet *data.DataSet) {
		signals := []string{}
		if table := dataSet.Table("MeasurementDetail"); table != nil {
			column := table.ColumnIndex("SignalID")
			for number := 0; number < table.RowCount(); number++ {
				if id, null, err := table.Row(number).GuidValue(column); err == nil && !null {
					signals = append(signals, text(id))
				}
			}
		}
		told("metadata", map[string]any{"signals": signals})
		select {
		case catalogues <- signals:
		default:
		}
	})
	subscriber.SetNewMeasurementsReceiver(func(arrived []transport.Measurement) {
		lock.Lock()
		for _, each := range arrived {
			row := []any{text(each.SignalID), uint64(each.Timestamp), value(each.Value), uint32(each.Flags)}
			measurements = append(measurements, row)
		}
		lock.Unlock()
	})
}

type request struct {
	ID     int    `json:"id"`
	Do     string `json:"do"`
	Filter string `json:"filter"`
}

func answer(subscriber *sttp.Subscriber, config *sttp.Config, settings *sttp.Settings, asked request) map[string]any {
	switch asked.Do {
	case "report":
		lock.Lock()
		defer lock.Unlock()
		found := measurements
		measurements = []any{}
		return map[string]any{"ok": true, "measurements": found}
	case "events":
		lock.Lock()
		defer lock.Unlock()
		found := events
		events = []any{}
		return map[string]any{"ok": true, "events": found}
	case "subscribe":
		for len(accepted) > 0 {
			<-accepted
		}
		subscriber.Subscribe(asked.Filter, settings)
		select {
		case <-accepted:
			return map[string]any{"ok": true}
		case <-time.After(patience):
			return map[string]any{"error": "no signal index cache came"}
		}
	case "unsubscribe":
		subscriber.Unsubscribe()
		return map[string]any{"ok": true}
	case "refresh-metadata":
		for len(catalogues) > 0 {
			<-catalogues
		}
		config.MetadataFilters = asked.Filter
		subscriber.RequestMetadata()
		select {
		case signals := <-catalogues:
			return map[string]any{"ok": true, "signals": signals}
		case <-time.After(patience):
			return map[string]any{"error": "no metadata came"}
		}
	}
	return map[string]any{"unsupported": true}
}

func main() {
	subscriber := sttp.NewSubscriber()
	config, settings := configured()
	listen(subscriber)
	subscriber.Subscribe(everything, settings)
	address := net.JoinHostPort(os.Args[2], os.Args[3])
	var err error
	if os.Args[1] == "listen" {
		err = subscriber.Listen(address, config)
	} else {
		go subscriber.Dial(address, config) // it returns when it is connected, which may be never
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var asked request
		if json.Unmarshal(lines.Bytes(), &asked) == nil {
			said := answer(subscriber, config, settings, asked)
			said["id"] = asked.ID
			line, _ := json.Marshal(said)
			fmt.Println(string(line))
		}
	}
}
