"""The acoustic features as other libraries compute them."""

import tempfile
from collections.abc import Callable

import numpy as np

from pipeline import audio
from pipeline.acoustic import _frames as frames
from pipeline.acoustic import ssl
from pipeline.acoustic import waveform as waveform_feature

Extractor = Callable[[np.ndarray, int], np.ndarray]
LENGTH, SHIFT, NUM_MEL_BINS = 0.025, 0.010, 40


def kaldi_native_fbank(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Kaldi's filterbank in C++, without dither."""
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.samp_freq = sampling_rate
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.mel_opts.num_bins = NUM_MEL_BINS
    computer = knf.OnlineFbank(options)
    computer.accept_waveform(sampling_rate, waveform * 32768)
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])


def lhotse_fbank() -> Extractor:
    """lhotse's filterbank in PyTorch, set up as Kaldi's."""
    import torch
    from lhotse import Fbank, FbankConfig

    torch.set_num_threads(1)
    extractor = Fbank(
        FbankConfig(num_filters=NUM_MEL_BINS, window_type="hamming", snip_edges=True, high_freq=0.0)
    )
    return lambda waveform, sampling_rate: np.asarray(
        extractor.extract(waveform * 32768, sampling_rate)
    )


def _librosa_frames(sampling_rate: int) -> dict[str, int]:
    length, shift = frames.samples(LENGTH, sampling_rate), frames.samples(SHIFT, sampling_rate)
    return {"n_fft": 1 << (length - 1).bit_length(), "win_length": length, "hop_length": shift}


def librosa_fbank(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """librosa's mel spectrogram and its natural log."""
    import librosa

    energies = librosa.feature.melspectrogram(
        y=waveform,
        sr=sampling_rate,
        window="hamming",
        n_mels=NUM_MEL_BINS,
        **_librosa_frames(sampling_rate),
    )
    return np.log(np.maximum(energies, 1e-10)).T


def librosa_mfcc(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """librosa's MFCCs."""
    import librosa

    return librosa.feature.mfcc(
        y=waveform,
        sr=sampling_rate,
        n_mfcc=20,
        window="hamming",
        n_mels=NUM_MEL_BINS,
        **_librosa_frames(sampling_rate),
    ).T


def librosa_spectrogram(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """librosa's transform with frames from 0 on: the window's centring inside the
    transform undone by zeros before.
    """
    import librosa

    settings = _librosa_frames(sampling_rate)
    length, num_fft = settings["win_length"], settings["n_fft"]
    before = (num_fft - length) // 2
    padded = np.pad(waveform, (before, num_fft - length - before))
    return np.abs(
        librosa.stft(padded, window=frames.window("hamming", length), center=False, **settings)
    ).T


def halved(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """The samples at half their rate, as the stage makes them."""
    config = waveform_feature.Config(sampling_rate=sampling_rate // 2)
    return waveform_feature.extract(
        audio.resample(waveform, sampling_rate, config.sampling_rate), config.sampling_rate, config
    )


def librosa_halved(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """librosa's resampling."""
    import librosa

    return librosa.resample(waveform, orig_sr=sampling_rate, target_sr=sampling_rate // 2)[:, None]


def speech_encoder() -> tuple[Extractor, str, Extractor]:
    """ssl and transformers by hand, on a model of wav2vec2-base's sizes: its weights
    are random, nothing is fetched.
    """
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        whole = Wav2Vec2Model(Wav2Vec2Config()).eval()
        whole.save_pretrained(folder)
        Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
        config = ssl.Config(model=folder)
        # Loads the model while the folder is there.
        ssl.extract(np.ones(16000, np.float32), config.sampling_rate, config)

    def reference(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
        normalised = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
        with torch.inference_mode():
            return whole(torch.from_numpy(normalised)[None]).last_hidden_state[0].numpy()

    def ours(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
        return ssl.extract(waveform, sampling_rate, config)

    return ours, "transformers, all at once", reference
