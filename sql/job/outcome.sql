-- What became of an operation, and whether a parked one of the same record holds it up. ?1 key
SELECT job.state, job.error, job.result,
       job.state = 'ready' AND EXISTS (
           SELECT 1 FROM job AS earlier
           WHERE earlier.record_key = job.record_key AND earlier.id < job.id AND earlier.state = 'parked')
FROM job WHERE job.kind = 'push' AND job.key = ?1
