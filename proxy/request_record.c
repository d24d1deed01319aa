#include "proxy/request_record.h"

#include "proxy/worker.h"

void request_record_begin(struct request_record *record, uint64_t now_us)
{
    *record = (struct request_record){
        .begun_us = now_us,
        .mark_us = now_us,
        .client_wait_us = REQUEST_NOT_REACHED,
        .queue_us = REQUEST_NOT_REACHED,
        .connect_us = REQUEST_NOT_REACHED,
        .first_byte_us = REQUEST_NOT_REACHED,
    };
}

static void observe(struct latency_histogram *histogram, uint32_t duration_us)
{
    if (duration_us != REQUEST_NOT_REACHED)
        latency_add(histogram, latency_bucket(duration_us), duration_us);
}

static void observe_listener(const struct request_record *record, struct worker *worker)
{
    struct listener_counters *counters =
        worker_listener_counters(worker, record->listener_slot, record->listener_incarnation);
    counter_add(&counters->terminations[record->termination], 1);
    if (counters == &worker->no_listener)
        return;
    struct listener_latencies *latencies =
        &worker->counters->listener_latencies[record->listener_slot];
    observe(&latencies->client_wait, record->client_wait_us);
    observe(&latencies->total, record->total_us);
}

static void observe_pool(const struct request_record *record, struct worker *worker)
{
    struct pool_latencies *latencies = &worker->counters->pool_latencies[record->pool_slot];
    if (worker_pool_counters(worker, record->pool_slot, record->pool_incarnation) ==
        &worker->no_pool)
        return;
    observe(&latencies->queue, record->queue_us);
    observe(&latencies->connect, record->connect_us);
    observe(&latencies->first_byte, record->first_byte_us);
    observe(&latencies->total, record->total_us);
}

static void observe_member(const struct request_record *record, struct worker *worker)
{
    struct member_latencies *latencies =
        &worker->counters->member_latencies[record->member_slot];
    if (worker_member_counters(worker, record->member_slot, record->member_incarnation) ==
        &worker->no_member)
        return;
    observe(&latencies->connect, record->connect_us);
    observe(&latencies->first_byte, record->first_byte_us);
    observe(&latencies->total, record->total_us);
}

void request_record_end(struct request_record *record, struct worker *worker)
{
    if (record->is_ended)
        return;
    record->is_ended = true;
    record->mark_us = record->begun_us;
    request_record_phase(record, &record->total_us, worker_now_us(worker));
    request_record_decide(record, worker->draining || worker->stopping
                                      ? TERMINATION_STOPPED
                                      : TERMINATION_CLIENT_CLOSED);
    observe_listener(record, worker);
    if (record->has_pool)
        observe_pool(record, worker);
    if (record->has_member)
        observe_member(record, worker);
}
