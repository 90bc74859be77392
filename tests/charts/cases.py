"""Values that the charts are rendered with: each key of `CASES[chart]` is one site's."""

from typing import Any

# What Prometheus scrapes in every flavour. All but the last three store by a list.
JOBS = (
    *("kubelet", "probes", "cadvisor", "kube-state-metrics", "node-exporter", "apiserver", "coredns", "prometheus"),
    *("pushgateway", "pods", "services"),
)

# Self-signed; nobody has its key.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUexd+uAfhmLnmNnx8/SVHoqPAwAkwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjExMzM5NTFaGA8yMTI2MTAyODEzMzk1
MVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABM2o
uBSIeAao+2GbPb+5l1D1M1ntGxJlP8GvO4bY3/IO5WMk9hqzHopQv8Kg/KWHjmnY
8SjSu1gmY4mnDrP/3zGjUzBRMB0GA1UdDgQWBBThX7/ed+DqqUxdiQkCdFlRoZ2o
PjAfBgNVHSMEGDAWgBThX7/ed+DqqUxdiQkCdFlRoZ2oPjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQC76W0vx5JpUUywpYITInMsb7Lu0VmTEVG/
sGJzUcg9VAIhAPDtP/DCl46GLFIGkAagxmdn5nCspqPtKYVTYpoflagK
-----END CERTIFICATE-----
"""

EVERYTHING: dict[str, Any] = {
    "cluster": "garage",
    "fullnameOverride": "metrics",
    "imageRegistry": "registry.example:5000",
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"team": "edge"},
    "networkPolicy": {"enabled": True, "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
    "prometheus": {
        "image": {"digest": "sha256:" + "0" * 64},
        "retention": {"time": "90d", "size": "20GB"},
        "persistence": {"storageClass": "fast", "size": "30Gi", "accessModes": ["ReadWriteOncePod"]},
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}, "nodePort": 31234},
        "externalUrl": "https://prometheus.example/garage",
        "externalLabels": {"site": "garage"},
        "remoteWrite": [
            {
                "url": "https://central.example/api/v1/write",
                "basic_auth": {"username": "edge", "password_file": "/etc/prometheus/secrets/central/password"},
                "queue_config": {"max_shards": 4},
            }
        ],
        "remoteWriteReceiver": True,
        "otlp": {"enabled": True},
        "rules": {"site.yml": {"groups": [{"name": "site", "rules": [{"record": "site:up:sum", "expr": "sum(up)"}]}]}},
        "alertmanagers": ["alertmanager:9093"],
        "secrets": ["central"],
        "extraArgs": ["--log.level=debug"],
        "podAnnotations": {"a": "b"},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "scrape": {
        "interval": "1m",
        "timeout": "20s",
        "kubeletInsecureSkipVerify": True,
        "nodeSelector": {"type": "(|real)"},
        "podLabels": {"app": "app.kubernetes.io/name", "tier": "example.org/tier"},
        "cadvisor": {
            "interval": "15s",
            "timeout": "5s",
            "sampleLimit": 9000,
            "relabelings": [{"action": "drop", "source_labels": ["node"], "regex": "x"}],
        },
        "pods": {"keep": ["http_requests_total"], "metricRelabelings": [{"action": "labeldrop", "regex": "pod"}]},
    },
    "fileSd": [
        {"job": "sensors", "targets": [{"targets": ["10.0.0.5:9100"], "labels": {"room": "a"}}]},
        {"job": "cameras", "configMap": "cameras", "config": {"scheme": "https", "metrics_path": "/stats"}},
    ],
    "httpSd": [{"job": "inventory", "url": "http://inventory.example/targets", "refreshInterval": "5m"}],
    "extraScrapeConfigs": [
        {
            "job_name": "router",
            "static_configs": [{"targets": ["10.0.0.1:9100"]}],
            "relabel_configs": [{"target_label": "site", "replacement": "garage"}],
        }
    ],
    "alertmanager": {
        "enabled": True,
        "image": {"digest": "sha256:" + "1" * 64},
        "config": {
            "route": {"receiver": "mail"},
            "receivers": [
                {
                    "name": "mail",
                    "email_configs": [{"to": "a@example.org", "smarthost": "mail:25", "from": "b@example.org"}],
                }
            ],
        },
        "secrets": ["mail"],
        "persistence": {"storageClass": "fast", "size": "1Gi"},
        "service": {"type": "LoadBalancer", "nodePort": 31003, "annotations": {"a": "b"}},
        "externalUrl": "https://alerts.example",
        "extraArgs": ["--log.level=debug"],
        "podAnnotations": {"a": "b"},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "kubeStateMetrics": {
        "extraResources": ["jobs"],
        "labelsAllowlist": {"pods": ["app", "tier"]},
        "extraArgs": ["-v=2"],
    },
    "nodeExporter": {"port": 9200, "extraCollectors": ["hwmon"], "podAnnotations": {"a": "b"}},
    "pushgateway": {
        "persistence": {"enabled": True, "storageClass": "fast"},
        "service": {"type": "NodePort", "nodePort": 31091},
        "extraArgs": ["--log.level=debug"],
    },
}

APPLICATION: dict[str, Any] = {
    "fullnameOverride": "mine",
    "image": {"repository": "registry.example/app", "tag": "7"},
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"team": "edge"},
    "app": {"params": {"size": 4}, "args": ["more"], "source": {"git": {"repository": "https://example/app.git"}}},
    "compss": {
        "master": {
            "volume": {"localPath": "/data/results", "node": "edge-1"},
            "timeLimit": 600,
            "env": {"A": "b"},
            "nodeSelector": {"a": "b"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "system-cluster-critical",
            "podAnnotations": {"a": "b"},
        },
        "worker": {
            "number": 1,
            "max": 3,
            "labels": {"tier": "work"},
            "resources": {"cpu": "1500m", "memory": 0.5},
            "memoryType": "Non-volatile",
            "volume": {"size": "2Gi", "storageClass": "fast"},
            "podAntiAffinityPreset": "hard",
            "otherApplicationsPreset": "soft",
            "podAnnotations": {"a": "b"},
        },
        "pools": [{"name": "arm", "number": 2, "architecture": "arm64", "resources": {"cpu": 4, "memory": 8}}],
        "storage": {"implementation": "redis", "configuration": "redis:6379", "secretName": "words"},
    },
    "deadlines": {"multiply": {"seconds": 2.5, "jitter": 0.5}},
    "monitoring": {"discovery": "ServiceMonitor"},
    "networkPolicy": {"from": [{"podSelector": {}}]},
}

# What a user gives the pods.
GIVEN: dict[str, Any] = {
    "env": {"TEXT": "a", "NUMBER": 3, "KEY": {"secretKeyRef": {"name": "s3", "key": "key"}}},
    "envFrom": [{"configMapRef": {"name": "settings"}}],
    "extraVolumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    "extraVolumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
    "runtimeClassName": "nvidia",
    "serviceAccountName": "reader",
}

CASES: dict[str, dict[str, dict[str, Any]]] = {
    "compss": {
        "defaults": {},
        "dask": {"engine": "dask"},
        "everything": APPLICATION,
        "everything dask": {**APPLICATION, "engine": "dask"},
        "given": {
            "compss": {
                "master": GIVEN,
                "worker": {**GIVEN, "topologySpreadConstraints": [{"topologyKey": "topology.kubernetes.io/zone"}]},
                "pools": [{"name": "gpu", "resources": {"nvidia.com/gpu": 1, "requests": {"cpu": "100m"}}}],
            },
        },
        "folder": {
            "engine": "dask",
            "app": {"source": {"files": {"matmul.py": "pass", "lib/tool": "#!/bin/sh"}, "binaryFiles": {"a": "/wD+"}}},
        },
        "archive": {"app": {"source": {"archive": "0" * 64}}},
        "schedule": {
            "engine": "dask",
            "compss": {"master": {"schedule": "0 3 * * *", "timeZone": "Europe/Madrid", "suspend": True}},
        },
        "held": {"engine": "dask", "compss": {"master": {"suspend": True, "ttlSecondsAfterFinished": 0}}},
        "queue": {"compss": {"queue": "edge", "pools": [{"name": "more", "number": 2}]}},
        "stream": {"engine": "dask", "compss": {"master": {"kind": "Deployment"}}},
        "guaranteed": {
            "engine": "dask",
            "compss": {
                "worker": {"max": 8, "qos": {"template": "DeadlinesMissed_1", "min": 1, "limits": {"cpu": "2"}}},
                "pools": [{"name": "more", "max": 3, "qos": {"template": "Patient"}}, {"name": "still"}],
            },
        },
        "bare": {
            "engine": "dask",
            "monitoring": {"enabled": False},
            "results": {"enabled": False},
            "networkPolicy": {"enabled": False},
            "podDisruptionBudget": {"enabled": False},
        },
    },
    "edge-monitoring": {
        "defaults": {},
        "everything": EVERYTHING,
        "without exporters": {
            "kubeStateMetrics": {"enabled": False},
            "nodeExporter": {"enabled": False},
            "pushgateway": {"enabled": False},
            "networkPolicy": {"enabled": False},
            "prometheus": {"persistence": {"enabled": False}, "service": {"type": "ClusterIP"}},
        },
        "an Alertmanager": {"alertmanager": {"enabled": True}},
        "everything stored": {"scrape": {job: {"keep": []} for job in JOBS[:-3]}},
        "scraped often": {"scrape": {"interval": "5s"}},
        "an agent": {
            "prometheus": {
                "agent": True,
                "remoteWrite": [{"url": "https://central.example/api/v1/write"}],
                "alertmanagers": ["alertmanager:9093"],
                "otlp": {"enabled": True},
            }
        },
        "a claim of one's own": {"prometheus": {"persistence": {"existingClaim": "mine"}, "retention": {"size": ""}}},
        "rules of one's own": {"prometheus": {"existingRules": "mine"}},
        "no jobs": {"scrape": {job: {"enabled": False} for job in JOBS}},
    },
    "metrics-server": {
        "defaults": {},
        "everything": {
            "fullnameOverride": "ms",
            "image": {"digest": "sha256:" + "0" * 64},
            "imagePullSecrets": [{"name": "pull"}],
            "commonLabels": {"team": "edge"},
            "replicas": 2,
            "kubeletInsecureTls": True,
            "kubeletPreferredAddressTypes": ["Hostname"],
            "metricResolution": "30s",
            "extraArgs": ["-v=2"],
            "tls": {"existingSecret": "certificate", "caBundle": CERTIFICATE},
            "podAnnotations": {"a": "b"},
            "nodeSelector": {"a": "b"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
        },
        "bare": {"networkPolicy": {"enabled": False}, "priorityClassName": "", "env": {"GOGC": None}, "resources": {}},
    },
    "monitoring-api": {
        "defaults": {},
        "everything": {
            "fullnameOverride": "api",
            "image": {"digest": "sha256:" + "0" * 64},
            "imagePullSecrets": [{"name": "pull"}],
            "commonLabels": {"team": "edge"},
            "replicas": 2,
            "existingCatalogue": "mine",
            "backend": "kubernetes",
            "cluster": "edge",
            "authentication": False,
            "viewerRole": False,
            "service": {"type": "ClusterIP"},
            "networkPolicy": {"from": [{"podSelector": {}}]},
            "podAnnotations": {"a": "b"},
            "priorityClassName": "system-cluster-critical",
            "nodeSelector": {"a": "b"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
        },
        "bare": {"networkPolicy": {"enabled": False}, "service": {"nodePort": 0}, "resources": {}},
    },
    "tenant": {
        "defaults": {},
        "a team": {"scientists": ["alice"], "viewers": ["bob"], "apiServer": {"cidrs": ["192.0.2.1/32"]}},
        "everything": {
            "namespace": "physics",
            "commonLabels": {"site": "garage"},
            "scientists": ["alice", "carol"],
            "viewers": ["alice", "bob"],
            "quota": {"pods": 5, "requests.cpu": "2500m", "secrets": None},
            "limits": {"default": {"cpu": 1}, "max": {"memory": "4Gi"}},
            "priorityClasses": ["batch"],
            "platformNamespace": "platform",
            "apiServer": {"cidrs": ["192.0.2.1/32", "2001:db8::1/128"], "port": 443},
            "egress": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]}],
        },
        "bare": {"quota": None, "limits": {"default": None, "defaultRequest": None}},
    },
    "orchestrator": {
        "defaults": {},
        "everything": {
            "fullnameOverride": "qos",
            "image": {"digest": "sha256:" + "0" * 64},
            "imagePullSecrets": [{"name": "pull"}],
            "commonLabels": {"team": "edge"},
            "templates": [
                {
                    "type": "infr",
                    "guaranteeName": "NodesBusy",
                    "maxAllowed": 2,
                    "action": "scale_up",
                    "scaleFactor": 1.25,
                    "coolDownSeconds": 120,
                    "calmSeconds": 0,
                    "periodSeconds": 60,
                    "otherwise": "notify",
                    "guarantees": [{"name": "cpu", "constraint": "node:cpu_usage:ratio < 0.9"}],
                }
            ],
            "budgets": {"team-a": 10, "*": 20},
            "viewer": False,
            "discovery": "PodMonitor",
            "networkPolicy": {"from": [{"podSelector": {}}]},
            "podAnnotations": {"a": "b"},
            "priorityClassName": "system-cluster-critical",
            "nodeSelector": {"a": "b"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
        },
        "bare": {"networkPolicy": {"enabled": False}, "discovery": "none", "resources": {}},
    },
}
