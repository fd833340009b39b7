"""What a registry tells by webhook in the form of CNCF Distribution: what ours sends, and what our
watch must understand."""

from __future__ import annotations

DIGEST = "sha256:3f8a8d3e5f8f0e1f39c8b0b1a1b5e8c9d2d7a7f6e5d4c3b2a190807060504030"

PUSHED = f"""\
{{"events":[{{\
"id":"00000000-0000-0000-0000-000000000001",\
"timestamp":"2026-11-26T20:31:00.000+00:00",\
"action":"push",\
"target":{{\
"mediaType":"application/vnd.oci.image.index.v1+json",\
"digest":"{DIGEST}",\
"size":1234,\
"length":1234,\
"repository":"gotify/server",\
"url":"https://registry.example.org/v2/gotify/server/manifests/{DIGEST}",\
"tag":"2.6.1"}},\
"request":{{\
"id":"ab12cd3400000007",\
"addr":"192.0.2.7",\
"host":"registry.example.org",\
"method":"PUT",\
"useragent":"manyfest/0.1.0"}},\
"actor":{{"name":"ci"}},\
"source":{{"addr":"node-1","instanceID":"5f0c5c3e-0000-0000-0000-000000000000"}}}}]}}"""
