"""One function called for many keys, here or on the workers of a Dask cluster, with the same bits."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import torch
from threadpoolctl import threadpool_limits

from systems import checks

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["check_client", "local_client", "outcomes"]

K = TypeVar("K")
T = TypeVar("T")


def check_client(client: Client | None) -> None:
    """Refuse what is no connected client of `dask.distributed`.

    >>> check_client("tcp://10.0.0.1:8786")
    Traceback (most recent call last):
    TypeError: client must be a dask.distributed.Client, got 'tcp://10.0.0.1:8786'
    """
    if client is None:
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("client needs dask: pip install 'rnnbias[dask]'") from error

    if not isinstance(client, Client):
        raise TypeError(f"client must be a dask.distributed.Client, got {client!r}")
    if client.status != "running" or client.asynchronous:
        raise ValueError(f"client must be connected and not asynchronous, got {client!r}")


@contextmanager
def local_client(workers: int) -> Iterator[Client]:
    """A client of a Dask cluster of so many processes on this machine, of one thread each, for as long as it is wanted.

    A worker that dies has ten minutes to come back: Dask gives up one that is not there after 15 s, in which a busy
    machine may not start it. No worker is stopped for the memory that it uses, and nothing but what is given the client
    is done there.

    Parameters
    ----------
    workers : int
        How many.

    Returns
    -------
    context manager of distributed.Client

    Raises
    ------
    ImportError
        Where dask is not installed.
    """
    workers = checks.whole("workers", workers, at_least=1)
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise ImportError("workers need dask: pip install 'rnnbias[dask]'") from error

    patient = dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
    options = {"threads_per_worker": 1, "memory_limit": None, "dashboard_address": ":0", "set_as_default": False}
    with patient, Client(n_workers=workers, **options) as client:
        yield client


def outcomes(
    function: Callable[[K], T], keys: Iterable[K], client: Client | None = None
) -> Iterator[tuple[K, T | Exception]]:
    """Call `function` with each key, and yield the key with what came back, or with the error that was raised instead.

    Without a client the calls are made here, in order. With one they are made by its workers, and come in the order in
    which they end; a call whose worker dies is made again by another, and ends as an error where it takes several with
    it. Every call has one thread of torch and BLAS, because sums in another order have other bits. Ctrl-C ends
    everything, also where what it interrupts would end in good order by itself, as a fit does.

    Parameters
    ----------
    function : callable
        For workers it is sent by cloudpickle; they look for modules also where this process does.
    keys : iterable
        Its arguments.
    client : distributed.Client, optional
        Connected, as `check_client` has it.

    Raises
    ------
    TypeError
        Where `function` cannot be sent to workers.
    ConnectionError
        Where the cluster is lost.

    >>> list(outcomes(lambda key: 1 // key, [1, 0]))
    [(1, 1), (0, ZeroDivisionError('integer division or modulo by zero'))]
    """
    return _here(function, keys) if client is None else _there(function, keys, client)


def _here(function: Callable[[K], T], keys: Iterable[K]) -> Iterator[tuple[K, T | Exception]]:
    for key in keys:
        found: T | Exception
        with _one_thread(), _interruptible():
            try:
                found = function(key)
            except Exception as error:
                found = error
        yield key, found


def _there(function: Callable[[K], T], keys: Iterable[K], client: Client) -> Iterator[tuple[K, T | Exception]]:
    import cloudpickle
    from distributed import as_completed

    try:
        pickled = cloudpickle.dumps(function)
    except Exception as error:
        raise TypeError(f"function must be one that can be sent to workers: {error}") from error
    sent = client.submit(bytes, pickled, pure=False)  # goes to each worker once, and not with every call
    keys = list(keys)
    each = [cloudpickle.dumps(key) for key in keys]
    waiting = dict(zip(client.map(_call, each, sent=sent, path=sys.path, pure=False), keys, strict=True))
    try:
        for future in as_completed(list(waiting), loop=client.loop):
            found: T | Exception
            try:
                found = future.result()
            except CancelledError:
                raise
            except Exception as error:
                found = error
            yield waiting.pop(future), found
    except CancelledError as error:
        raise ConnectionError("the cluster lost its scheduler, or somebody cancelled the calls") from error
    finally:
        client.cancel(list(waiting))


def _call(key: bytes, sent: bytes, path: list[str]) -> object:
    """What a worker does; it stays at one thread, because others may be at work in the same process."""
    import cloudpickle

    sys.path += [place for place in path if place not in sys.path]
    torch.set_num_threads(1)
    threadpool_limits(1)
    return _received(sent)(cloudpickle.loads(key))


@lru_cache(1)
def _received(sent: bytes) -> Callable[[object], object]:
    """The same function for all calls, with whatever it keeps from one to the next."""
    import cloudpickle

    return cloudpickle.loads(sent)


@contextmanager
def _one_thread() -> Iterator[None]:
    had = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(had)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end where Ctrl-C came, even where it was caught."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    came = []

    def interrupt(*_: object) -> None:
        came.append(True)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt
