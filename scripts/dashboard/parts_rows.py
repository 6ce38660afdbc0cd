"""The lower rows: the gateway, the ledger, the broker and the processes, one by one."""

from scripts.dashboard.panels import GOOD_UNTIL_ONE, Panel, Query, Row, mean, quantile, rate, workers_own

GATEWAY = Row(
    "Gateway",
    (
        Panel(
            "Calls",
            "By command and class. transient: certainly not sent. uncertain: nobody knows.",
            "suffix: calls/s",
            (Query(rate("iton_worker_gateway_calls_total", "command, class"), "{{command}} {{class}}"),),
            "stack",
        ),
        Panel(
            "Duration of calls",
            "At ITON_TIMEOUT a sendSMS becomes uncertain.",
            "s",
            (
                Query(quantile(0.95, "iton_worker_gateway_call_seconds", "command"), "{{command}} p95"),
                Query(quantile(0.5, "iton_worker_gateway_call_seconds", "command"), "{{command}} p50"),
            ),
        ),
        Panel(
            "Pauses and breakers",
            "While one is red in any worker, its calls wait and nothing is lost.",
            "short",
            (
                Query("max by (reason) (iton_worker_intake_paused)", "pause: {{reason}}"),
                Query("max by (command) (iton_worker_breaker_open)", "breaker: {{command}}"),
            ),
            "states",
            steps=GOOD_UNTIL_ONE,
            words=((0, "open"), (1, "held")),
        ),
        Panel(
            "Fill of calls",
            "Numbers or ids in a call, of at most 100, and jobs that share one: the busier, the fuller.",
            "short",
            (
                Query(mean("iton_worker_gateway_call_keys", "command"), "{{command}}: keys"),
                Query(mean("iton_worker_gateway_call_jobs", "command"), "{{command}}: jobs"),
            ),
            width=6,
        ),
        Panel(
            "Calls in flight, calls per job",
            "Calls under way and how many may be, and the sendSMS calls that a send job took in all.",
            "short",
            (
                Query("sum(iton_worker_gateway_calls_in_flight)", "in flight"),
                Query("sum(iton_worker_gateway_calls_limit)", "may be in flight", dashed=True),
                Query(
                    "sum(rate(iton_worker_send_calls_sum[$__rate_interval]))"
                    " / sum(rate(iton_worker_send_calls_count[$__rate_interval]))",
                    "per job",
                ),
            ),
            width=6,
        ),
        Panel(
            "DND",
            "Answers of the endpoint, and numbers whose answer was remembered. silent ones are not sent to.",
            "suffix: numbers/s",
            (
                Query(rate("iton_worker_dnd_answers_total", "answer"), "answer: {{answer}}"),
                Query(
                    "sum by (result) (rate(iton_worker_dnd_cache_total[$__rate_interval]))",
                    "cache: {{result}}",
                ),
            ),
            width=6,
        ),
        Panel(
            "Credits",
            "The balance of each deployment's account; dashed: the threshold, WORKER_CREDITS_LOW.",
            "short",
            (
                Query(
                    "min by (namespace, job) (iton_worker_credits_remaining)", "left: {{namespace}} {{job}}"
                ),
                Query(
                    "max by (namespace, job) (iton_worker_credits_low_threshold)",
                    "threshold: {{namespace}} {{job}}",
                    dashed=True,
                ),
                Query("sum(increase(iton_worker_unasked_total[$__rate_interval]))", "ids nobody asked for"),
            ),
            width=6,
        ),
    ),
)

LEDGER = Row(
    "Ledger",
    (
        Panel(
            "Operations",
            "A send needs three swaps, one more for a doubt. Every send waits for them.",
            "s",
            (
                Query(quantile(0.95, "iton_worker_ledger_seconds", "operation"), "{{operation}} p95"),
                Query(quantile(0.5, "iton_worker_ledger_seconds", "operation"), "{{operation}} p50"),
            ),
        ),
        Panel(
            "Failures",
            "Operations that failed because the store was away.",
            "short",
            (
                Query(
                    "sum by (operation) (increase(iton_worker_ledger_failures_total[$__rate_interval]))",
                    "{{operation}}",
                ),
            ),
        ),
        Panel(
            "Entries",
            "In each deployment's SQLite file or memory, about. Redis cannot tell: look at its own metrics.",
            "short",
            (Query("max by (namespace, job) (iton_worker_ledger_entries)", "{{namespace}} {{job}}"),),
        ),
    ),
)

BROKER = Row(
    "Broker",
    (
        Panel(
            "Publishes",
            "By exchange and by what the broker said.",
            "suffix: /s",
            (Query(rate("iton_worker_publishes_total", "exchange, result"), "{{exchange}} {{result}}"),),
            "stack",
        ),
        Panel(
            "Confirms",
            "From publishing to the confirm. A delivery is acknowledged only after that.",
            "s",
            (
                Query(
                    quantile(0.95, "iton_worker_publisher_confirm_seconds", "namespace, job"),
                    "{{namespace}} {{job}} p95",
                ),
                Query(
                    quantile(0.5, "iton_worker_publisher_confirm_seconds", "namespace, job"),
                    "{{namespace}} {{job}} p50",
                ),
            ),
        ),
        Panel(
            "Consumers and publishers",
            "How many workers the broker has as consumers of a lane, and how many can publish.",
            "short",
            (
                Query("sum by (lane) (iton_worker_consumer_up)", "{{lane}}"),
                Query("sum(iton_worker_publisher_up)", "publishing"),
            ),
        ),
    ),
)

PROCESS = Row(
    "Processes",
    (
        Panel(
            "CPU",
            "Of each worker. One event loop: 1 is all it can use.",
            "short",
            (Query(workers_own("rate(process_cpu_seconds_total[$__rate_interval])"), "{{instance}}"),),
            width=6,
        ),
        Panel(
            "Memory",
            "Resident, of each worker.",
            "bytes",
            (Query(workers_own("process_resident_memory_bytes"), "{{instance}}"),),
            width=6,
        ),
        Panel(
            "Lag of the event loop",
            "How late timers fire, p95 of each worker. Above a tenth of a second it gets too little CPU.",
            "s",
            (
                Query(
                    quantile(0.95, "iton_worker_loop_lag_seconds", "namespace, job, instance"), "{{instance}}"
                ),
            ),
            width=6,
        ),
        Panel(
            "Open files",
            "Sockets and files of each worker, as a share of what it may open.",
            "percentunit",
            (Query(workers_own("process_open_fds / process_max_fds"), "{{instance}}"),),
            width=6,
        ),
        Panel(
            "State",
            "Of each worker: 2 ready, 1 draining, 0 neither.",
            "short",
            (
                Query(
                    "max by (namespace, job, instance) (iton_worker_ready * 2) > 0"
                    " or max by (namespace, job, instance) (iton_worker_draining)",
                    "{{instance}}",
                ),
            ),
            "states",
            steps=((None, "red"), (1.0, "orange"), (2.0, "green")),
            words=((0, "not ready"), (1, "draining"), (2, "ready")),
            width=12,
        ),
        Panel(
            "Age of the oldest job",
            "In flight, of each worker. After 30 minutes the broker takes it away.",
            "s",
            (Query("max by (namespace, job, instance) (iton_worker_oldest_job_seconds)", "{{instance}}"),),
            width=6,
        ),
        Panel(
            "Versions",
            "How many workers run which.",
            "short",
            (Query("count by (version, python) (iton_worker_build_info)"),),
            "table",
            width=6,
        ),
    ),
)
