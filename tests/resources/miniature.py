"""Fabricated miniature trees of published corpora: their layouts and their traps, none
of their recordings or words.

Every function writes a tree below a folder and returns the corpus root.
"""

import shutil
from pathlib import Path

from pipeline.schema import Utterance
from pipeline.tables import write_utterances
from tests.resources import recordings
from tests.resources.miniature_iemocap import iemocap, write_text

__all__ = [
    "chsims",
    "cremad",
    "emodb",
    "esd",
    "iemocap",
    "joined",
    "manifest",
    "meld",
    "ravdess",
]
JOINED = ("one", "two")  # the corpora of `joined`


def ravdess(folder: Path) -> Path:
    """Speech of actors 7 and 12: a copy, a stereo file, files that cannot be heard,
    files that do not belong.
    """
    root = folder / "ravdess"

    def path(name: str, suffix: str = "wav") -> Path:
        return root / f"Actor_{name[-2:]}" / f"{name}.{suffix}"

    for seed, name in enumerate(
        ("03-01-01-01-01-01-07", "03-01-03-01-02-01-07", "03-01-04-02-01-02-07")
    ):
        recordings.write(path(name), seed=seed, sampling_rate=48000)
    shutil.copy(path("03-01-03-01-02-01-07"), path("03-01-03-01-02-02-07"))
    recordings.write(path("03-01-02-01-01-02-12"), seed=10, sampling_rate=48000, channels=2)
    recordings.write(path("03-01-05-02-02-01-12", "flac"), seed=11)
    recordings.write_corrupt(path("03-01-06-01-01-01-12"))
    recordings.write_empty(path("03-01-06-01-01-02-12"))
    recordings.write_truncated(path("03-01-06-01-02-01-12"))
    recordings.write_silent(path("03-01-06-01-02-02-12"))
    recordings.write_without_samples(path("03-01-06-02-02-02-12"))
    recordings.write(path("03-02-05-02-02-01-12"), seed=12)
    recordings.write(root / "Actor_12" / "take two.wav", seed=13)
    recordings.write(path("03-01-01-02-01-01-12"), seed=14)
    recordings.write(root / "Actor_07" / "03-01-08-01-01-01-12.wav", seed=15)
    recordings.write(root / "speech" / "Actor_07" / "03-01-01-01-01-01-07.wav", seed=16)
    recordings.write_corrupt(root / "Actor_07" / "._03-01-01-01-01-01-07.wav")
    return root


CHSIMS_ROWS = (
    # video, clip, text, sentiment, its text, audio and vision, subset
    ("video_0001", "0001", "我真的很高兴", "0.8", "1.0", "0.6", "0.8", "train"),
    ("video_0001", "0002", "你在说什么", "-0.2", "0.0", "-0.4", "-0.2", "train"),
    ("video_0001", "0010", "今天是星期一", "0.0", "0.0", "0.0", "0.0", "test"),
    ("video_0002", "0001", "我不想见他，走吧", "-1.0", "-0.8", "-1.0", "-0.6", "valid"),
    ("video_0002", "0002", "没有声音", "0.2", "0.2", "0.2", "0.2", "train"),
    ("video_0002", "0003", "坏了", "0.4", "0.4", "0.4", "0.4", "test"),
    ("video_0002", "0004", "不见了", "0.6", "0.6", "0.6", "0.6", "valid"),
)


def chsims(folder: Path, layout: str = "mmsa") -> Path:
    """Two videos, labelled as in `mmsa` (label.csv) or `first` (metadata/sentiment, row
    numbers, clip ids 1, 2 …).
    """
    root = folder / f"chsims_{layout}"
    for seed, (video, clip, *_) in enumerate(CHSIMS_ROWS[:4]):
        recordings.write_clip(
            root / "Raw" / video / f"{clip}.mp4", channels=1 + seed % 2, seed=seed
        )
    recordings.write_clip(root / "Raw" / "video_0002" / "0002.mp4", channels=0)
    recordings.write_corrupt(root / "Raw" / "video_0002" / "0003.mp4")
    recordings.write_corrupt(root / "Raw" / "video_0001" / "._0001.mp4")
    if layout == "mmsa":
        header = "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode"
        rows = [
            f'{video},{clip},"{text}",{m},{t},{a},{v},,{mode}'
            for video, clip, text, m, t, a, v, mode in CHSIMS_ROWS
        ]
        rows.append('video_0003,0001,"标签不对",7.0,0,0,0,,train')
        rows.append('../../outside,0001,"外面",0.2,0,0,0,,train')
        recordings.write_clip(root / "Raw" / "video_0003" / "0001.mp4", seed=9)
        write_text(root / "label.csv", "\n".join([header, *rows]) + "\n", "utf-8-sig")
        return root
    names = {"M": 3, "T": 4, "A": 5, "V": 6}
    for modality, column in names.items():
        rows = [f'{row[0]},{int(row[1])},"{row[2]}",{row[column]}' for row in CHSIMS_ROWS]
        rows = rows[::-1] if modality == "V" else rows
        write_text(
            root / "metadata" / "sentiment" / f"label_{modality}.csv",
            "\n".join(["video_id,clip_id,text,label", *rows]) + "\n",
            "gb18030" if modality == "M" else "utf-8",
        )
    for subset, mode in (("train", "train"), ("val", "valid"), ("test", "test")):
        numbers = [str(number) for number, row in enumerate(CHSIMS_ROWS) if row[-1] == mode]
        write_text(root / "metadata" / f"{subset}_index.csv", "\n".join(["index", *numbers]) + "\n")
    return root


def cremad(folder: Path) -> Path:
    """Three actors, among them the silent file and the misspelt name of the release."""
    root = folder / "cremad"
    audio = root / "AudioWAV"
    for seed, name in enumerate(
        ("1001_DFA_ANG_XX", "1001_IEO_HAP_HI", "1040_ITH_SAD_X", "1076_WSI_NEU_XX")
    ):
        recordings.write(audio / f"{name}.wav", seed=seed)
    recordings.write_silent(audio / "1076_MTI_SAD_XX.wav")
    # What `git clone` without Git LFS leaves in the place of a recording.
    write_text(
        audio / "1076_TIE_FEA_XX.wav",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    )
    rows = ("1001,51,Male,Caucasian,Not Hispanic", "1040,42,Female,Asian,Hispanic", "1076,30,,,")
    write_text(
        root / "VideoDemographics.csv", "\n".join(("ActorID,Age,Sex,Race,Ethnicity", *rows)) + "\n"
    )
    recordings.write(audio / "1001_DFA_ANGRY.wav", seed=8)
    recordings.write_corrupt(audio / "._1001_DFA_ANG_XX.wav")
    return root


def emodb(folder: Path) -> Path:
    """Two speakers; versions, a file without version letter, and a name outside the
    scheme.
    """
    root = folder / "emodb"
    for seed, name in enumerate(("03a01Fa", "03a01Wb", "03b10Nc", "16a05Tb", "16b02Lx", "16b03A")):
        recordings.write(root / "wav" / f"{name}.wav", seed=seed)
    shutil.copy(root / "wav" / "16a05Tb.wav", root / "wav" / "16a05Td.wav")
    recordings.write(root / "wav" / "99a01Fa.wav", seed=8)
    recordings.write_corrupt(root / "wav" / "._03a01Fa.wav")
    return root


def meld(folder: Path, nested: bool = False) -> Path:
    """Three tables and their clips: control characters, a missing and a corrupt clip,
    clips without a row.
    """
    root = folder / "meld"
    header = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,"
    header += "Season,Episode,StartTime,EndTime"
    tail = '1,1,"00:00:01,000","00:00:02,000"'
    tables = {
        "train": [
            f'1,"Oh, he\x92s lost it\x85",Phoebe,sadness,negative,0,0,{tail}',
            f"2,What?,Monica,surprise,negative,0,1,{tail}",
            f"3,Here!,All,joy,positive,10,0,{tail}",
            f"4,Broken clip,Ross,anger,negative,2,3,{tail}",
            f"5,What?,Monica,surprise,negative,0,1,{tail}",
            f"6,Nowhere,Ross,boredom,negative,2,0,{tail}",
            f"7,Outside,Ross,anger,negative,/../../x,0,{tail}",
        ],
        "dev": [
            f"1,Fine.,Rachel,neutral,neutral,0,0,{tail}",
            f"2,Missing clip,Rachel,neutral,neutral,110,7,{tail}",
        ],
        "test": [f"1,Good.,Joey,joy,positive,0,0,{tail}"],
    }
    places = {
        "train": "train_splits",
        "dev": "dev_splits_complete",
        "test": "output_repeated_splits_test",
    }
    for part, rows in tables.items():
        base = root / part if nested else root
        write_text(base / f"{part}_sent_emo.csv", "\r\n".join([header, *rows]) + "\r\n")
        (base / places[part]).mkdir(parents=True)
    clips = {part: (root / part if nested else root) / place for part, place in places.items()}
    for seed, name in enumerate(("dia0_utt0", "dia0_utt1", "dia10_utt0", "dia2_utt0")):
        recordings.write_clip(clips["train"] / f"{name}.mp4", seed=seed)
    recordings.write_corrupt(clips["train"] / "dia2_utt3.mp4")
    recordings.write_clip(clips["dev"] / "dia0_utt0.mp4", seed=10)
    recordings.write_clip(clips["dev"] / "dia66_utt9.mp4", seed=11)
    recordings.write_clip(clips["test"] / "dia0_utt0.mp4", seed=12)
    recordings.write_clip(clips["test"] / "final_videos_testdia0_utt0.mp4", seed=13)
    recordings.write_corrupt(clips["test"] / "._dia0_utt0.mp4")
    return root


def esd(folder: Path) -> Path:
    """Speakers of both languages, text files in four encodings, files with and without
    subset folders.
    """
    root = folder / "esd"
    texts = {
        "0001": ("gb18030", "打远一看\t生气"),
        "0003": ("utf-16", "他们是谁\t生气"),
        "0011": ("utf-8-sig", "The nine the eggs, I keep.\tAngry"),
        "0016": ("cp1252", "It’s café time.\tAngry"),
    }
    for seed, (speaker, (encoding, line)) in enumerate(texts.items()):
        lines = [
            f"{speaker}_000351\t{line}",
            f"{speaker}_000352 words without tabs",
            "",
            f"{speaker}_000701\t{line}",
        ]
        write_text(root / speaker / f"{speaker}.txt", "\r\n".join(lines) + "\r\n", encoding)
        deeper = "evaluation" if speaker == "0016" else ""
        for number, emotion in (("000351", "Angry"), ("000352", "Angry"), ("000701", "Happy")):
            path = root / speaker / emotion / deeper / f"{speaker}_{number}.wav"
            recordings.write(path, seed=100 * seed + int(number))
    recordings.write(root / "0011" / "Angry" / "0016_000353.wav", seed=5)
    recordings.write(root / "0011" / "Fear" / "0011_000354.wav", seed=6)
    recordings.write(root / "0011" / "Angry" / "take.wav", seed=7)
    recordings.write_corrupt(root / "0011" / "Angry" / "._0011_000351.wav")
    write_text(root / "ReadMe.txt", "about\n")
    return root


def manifest(folder: Path) -> Path:
    """A user's table: segments, a text-only row, an audio-only row, ratings, and rows
    that cannot be used.
    """
    root = folder / "manifest"
    recordings.write(root / "long.wav", seconds=2.0, seed=1)
    recordings.write(root / "calls" / "a.flac", seed=2)
    recordings.write(folder / "outside.wav", seed=3)
    (root / "link.wav").symlink_to(folder / "outside.wav")
    header = "utterance_id,emotion,audio_path,start,end,transcript,speaker,language,"
    header += "subset,votes,rating_valence,x_note"
    rows = (
        "0001,Angry,long.wav,0.0,0.75,Go away,s1,,train,angry;sad;angry,1.5,first",
        '0002,neutral,long.wav,0.75,2.0,"Well, fine",s1,en-gb,dev,,,',
        "0003,sad,,,,only words,s2,,test,,-2,",
        "0004,happy,calls/a.flac,,,,s2,,,,,",
        "up,happy,../outside.wav,,,,,,,,,",
        f"absolute,happy,{(folder / 'outside.wav').as_posix()},,,,,,,,,",
        "link,happy,link.wav,,,,,,,,,",
        "0001,sad,long.wav,,,twice,,,,,,",
        ",sad,long.wav,,,no id,,,,,,",
        "unlabelled,,long.wav,,,words,,,,,,",
        "backwards,sad,long.wav,1.5,0.5,words,,,,,,",
        "infinite,sad,long.wav,nan,,words,,,,,,",
        "subset,sad,long.wav,,,words,,,holdout,,,",
        "rating,sad,long.wav,,,words,,,,,high,",
        "comma,sad,long.wav,,,no, quotes,s1,en,train,,1,x",
    )
    write_text(root / "manifest.csv", "\n".join((header, *rows)) + "\n", "utf-8-sig")
    return root


def joined(folder: Path) -> Path:
    """Two prepared corpora that name their utterances and speakers alike."""
    root = folder / "utterances"
    for seed, corpus in enumerate(JOINED):
        made = []
        for number in range(4):
            path = root / "recordings" / f"{corpus}{number}.wav"
            recordings.write(path, seed=10 * seed + number)
            made.append(
                Utterance(
                    f"u{number}",
                    corpus,
                    ("sad", "angry")[number % 2],
                    audio_path=str(path),
                    transcript="no rain today",
                    words=("no", "rain", "today"),
                    speaker=f"s{number}" if number else None,
                    audio_sha256=f"{corpus}{number}",
                    duration=1.0,
                )
            )
        write_utterances(root / corpus / "utterances.parquet", made)
    return root
