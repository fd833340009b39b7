// A status page: asks services whether they are up, remembers the answers, shows them in a browser.
//
//	GET /             the page, from the folder STATUS_WEB
//	GET /api/status   what the page shows
//	GET /health       whether this is well; status-page -check asks that, for HEALTHCHECK
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

var version = "unknown"

type status struct {
	Name string    `json:"name"`
	Up   bool      `json:"up"`
	Seen time.Time `json:"seen"`
}

type board struct {
	file  string
	mutex sync.Mutex
	last  []status
}

func main() {
	show := flag.Bool("version", false, "print the version and end")
	check := flag.Bool("check", false, "ask the one that runs whether it is well, and end")
	flag.Parse()
	switch {
	case *show:
		fmt.Printf("status-page %s %s/%s\n", version, runtime.GOOS, runtime.GOARCH)
	case *check:
		os.Exit(checked())
	default:
		serve()
	}
}

func serve() {
	b := &board{file: filepath.Join(setting("STATUS_DATA", "data"), "status.json")}
	b.load()
	go b.watch(strings.Fields(os.Getenv("STATUS_SERVICES")), time.Minute)
	http.Handle("/", http.FileServer(http.Dir(setting("STATUS_WEB", "web"))))
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("/api/status", b.show)
	log.Fatal(http.ListenAndServe(":"+setting("PORT", "8080"), nil))
}

func checked() int {
	answer, err := http.Get("http://127.0.0.1:" + setting("PORT", "8080") + "/health")
	if err != nil {
		return 1
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}

func (b *board) watch(services []string, pause time.Duration) {
	client := http.Client{Timeout: 10 * time.Second}
	for {
		now := []status{}
		for _, service := range services {
			answer, err := client.Get(service)
			up := err == nil && answer.StatusCode < 500
			if err == nil {
				answer.Body.Close()
			}
			now = append(now, status{Name: service, Up: up, Seen: time.Now().UTC()})
		}
		b.keep(now)
		time.Sleep(pause)
	}
}

func (b *board) load() {
	raw, err := os.ReadFile(b.file)
	if err == nil {
		err = json.Unmarshal(raw, &b.last)
	}
	if err != nil && !os.IsNotExist(err) {
		log.Printf("what was known before cannot be read: %v", err)
	}
}

func (b *board) keep(now []status) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.last = now
	raw, err := json.Marshal(now)
	if err == nil {
		err = os.WriteFile(b.file, raw, 0o600)
	}
	if err != nil {
		log.Print(err)
	}
}

func (b *board) show(w http.ResponseWriter, _ *http.Request) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(b.last); err != nil {
		log.Print(err)
	}
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
