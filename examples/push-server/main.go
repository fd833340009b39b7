// A small push server: programs leave messages, people read them.
//
//	GET  /version  what this is
//	GET  /health   whether it is well
//	POST /message  leave one: {"title": "...", "message": "..."}
//	GET  /message  the latest, the newest first
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"
)

// Set by the build.
var version, revision = "unknown", "unknown"

const kept = 100

type message struct {
	Title   string    `json:"title"`
	Message string    `json:"message"`
	Date    time.Time `json:"date"`
}

type server struct {
	mutex    sync.Mutex
	messages []message
}

func main() {
	show := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *show {
		fmt.Printf("push-server %s %s/%s\n", version, runtime.GOOS, runtime.GOARCH)
		return
	}
	address := os.Getenv("PUSH_LISTEN")
	if address == "" {
		address = ":8080"
	}
	log.Fatal(http.ListenAndServe(address, (&server{}).routes()))
}

func (s *server) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"version": version, "commit": revision})
	})
	routes.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"health": "green"})
	})
	routes.HandleFunc("/message", s.message)
	return routes
}

func (s *server) message(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if r.Method == http.MethodPost {
		left := message{Date: time.Now().UTC()}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&left); err != nil {
			http.Error(w, "not a message: "+err.Error(), http.StatusBadRequest)
			return
		}
		s.messages = append([]message{left}, s.messages...)
		if len(s.messages) > kept {
			s.messages = s.messages[:kept]
		}
	}
	answer(w, s.messages)
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}
