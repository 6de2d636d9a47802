"""Map the kinds and names of metadata to the identifiers of the HIPAA Safe Harbor method that they can hold.

The method is that of 45 CFR 164.514(b)(2)(i). A thing that is not known here counts as one that can hold anything that
somebody may have written into it. Names that are not known are never released: they may themselves be somebody's name.
"""

from typing import NamedTuple

#: Letters of the method that a video can touch -> what they stand for.
LETTERS = {
    "A": "names",
    "B": "places smaller than a state",
    "C": "dates",
    "M": "device identifiers and serial numbers",
    "P": "biometric identifiers, voice among them",
    "Q": "full-face photographs and comparable images",
    "R": "any other identifying number, characteristic or code, names of files among them",
}
ANYTHING = "A B C M R"
_TEXT = "A B C R"


class Item(NamedTuple):
    """A thing in a file: by whom it was read (ffmpeg or bytes), where, of what kind, and its name there."""

    read_by: str
    place: str
    kind: str
    key: str


def category(item: Item) -> str:
    """Return the letters of `LETTERS` that an item can touch, separated by spaces; empty when it can touch none."""
    if item.kind in _BY_KIND:
        return _BY_KIND[item.kind] and (_BY_NAME.get(item.key.lower()) or _BY_KIND[item.kind])
    return _BY_NAME.get(item.key.lower(), ANYTHING)


def public_name(item: Item) -> str:
    """Return the name of an item as it may be released: its own when it is well known, otherwise "other"."""
    # The names of codecs and of side data are FFmpeg's own words, whatever the file says.
    fixed = item.kind.endswith("stream") or item.kind == "side data"
    return item.key if fixed or not item.key or item.key.lower() in _BY_NAME else "other"


def _by_name(names: dict[str, str]) -> dict[str, str]:
    return {name.replace("~", " "): letters for letters, listed in names.items() for name in listed.split()}


#: Kinds of things of which the name alone does not tell: streams and attachments, whatever they are called.
_BY_KIND = {
    "picture stream": "",
    "further picture stream": "Q",
    "cover picture": "Q",
    "sound stream": "P",
    "subtitle stream": _TEXT,
    "data stream": ANYTHING,
    "other stream": ANYTHING,
    "attachment": f"{ANYTHING} Q",
    "sample entry of pictures": "",
    "sample entry of sound": "P",
    "sample entry of text": _TEXT,
    "sample entry": ANYTHING,
    "chapter": "",
    "edit list": "",
    "display matrix": "",
    "name": "M",
    "not read": ANYTHING,
}

#: Names in lower case, of tags, boxes, elements, chunks, messages and side data -> the letters. "~" is a blank.
_BY_NAME = _by_name(
    {
        # What somebody has typed in can be a name, a place, a date or a number.
        _TEXT: """
            title album artist album_artist author comment description synopsis subject keywords copyright publisher
            performer composer director producer writer lyrics information grouping show chapstring name tagstring
            filedescription imagedescription usercomment closed~captions a53_cc user~data iptc tag text
            ©nam ©art ©aut ©cmt ©cpy ©des ©inf ©alb ©dir ©prd ©prf ©wrt ©key ©pub ©src ©grp ©dis
            titl auth perf dscp cprt kywd albm desc ldes cmmt aart inam iart icmt icop isbj ikey ieng icms itch
            com.apple.quicktime.title com.apple.quicktime.author com.apple.quicktime.comment
            com.apple.quicktime.description com.apple.quicktime.displayname com.apple.quicktime.information
            com.apple.quicktime.keywords com.apple.quicktime.artist com.apple.quicktime.album
            com.apple.quicktime.copyright com.apple.quicktime.director com.apple.quicktime.producer
            com.apple.quicktime.publisher
            """,
        "B": """
            location location-eng recording_location composition_location ©xyz loci gps gpmd camm iarl gpslatitude
            gpslongitude gpsaltitude com.apple.quicktime.location.iso6709 com.apple.quicktime.location.name
            com.apple.quicktime.location.body com.apple.quicktime.location.note com.apple.quicktime.location.role
            com.apple.quicktime.location.accuracy.horizontal
            """,
        "C": """
            creation_time modification_time date year date_recorded date_released date_encoded date_tagged
            date_digitized datetime datetimeoriginal datetimedigitized gpsdatestamp gpstimestamp ©day yrrc icrd idit
            dateutc timecode tmcd mvhd tkhd mdhd prft idst ismp pic_timing time_code time~code gop_timecode
            s12m_timecode rtcp_sr group~of~pictures _statistics_writing_date_utc
            com.apple.quicktime.creationdate com.apple.quicktime.location.date
            """,
        "M": """
            make model manufacturer software firmware encoder encoded_by encoded_application hardware handler_name hdlr
            compressorname vendor_id serial_number cameraserialnumber bodyserialnumber lensserialnumber lensmodel
            lensmake ©mak ©mod ©swr ©fmt ©enc ©too ©hst ©req com.apple.quicktime.make com.apple.quicktime.model
            com.apple.quicktime.software com.apple.quicktime.camera.identifier
            com.apple.quicktime.camera.framereadouttimeinmicroseconds com.apple.quicktime.camera.lens_model
            com.apple.proapps.cameraname com.android.version com.android.manufacturer com.android.model
            com.android.capture.fps firm lens came sett muid bcid gumi isft ipro muxingapp writingapp codecname
            encoder~settings _statistics_writing_app
            """,
        "B C M": "camera~data mdpm",
        ANYTHING: """
            exif xmp xmp_ _pmx makernote strd ncdt mvtg cndm cncv pana smta icc~profile icc_profile id32 emsg uuid
            unregistered~user~data registered~user~data sei_unregistered strings_metadata tagbinary blockadditional
            matroska_block_additional free skip wide void junk pad padding filler filler_payload media~data~of~no~sample
            """,
        "P": "voice",
        "Q": "covr thumbnail thmb scra attached_pic",
        "R": """
            filename filename_with_path umid material_package_umid file_package_umid reel_name reel_uuid segmentuuid
            segmentfilename prevuuid prevfilename nextuuid nextfilename segmentfamily trackuid mimetype filemediatype
            projectionprivate strn url alis urn rsrc full_frame_snapshot com.apple.quicktime.content.identifier
            com.apple.quicktime.live-photo.auto
            """,
        # How to store, decode and show the pictures: nothing of the recording.
        "": """
            avc1 avc3 hvc1 hev1 dvh1 dvhe av01 vp08 vp09 mp4v mjpa mjpb jpeg apcn apch apcs apco ap4h ap4x s263 mp4a
            alac sowt twos lpcm ac-3 ec-3 opus samr sawb tx3g wvtt stpp c608 c708
            major_brand minor_version compatible_brands language duration rotate bps number_of_frames number_of_bytes
            _statistics_tags alpha_mode stereo_mode elst clap mdcv clli dvcc dvvc dvwc hvce avce st3d sv3d proj prhd
            equi amve vexu eyes hero cslg sgpd sbgp sdtp stps chap cdsc cdep tapt clef prof enof load colr pasp btrt
            gama fiel chrm masteringmetadata maxcll maxfall blockadditionmapping vprp
            com.apple.quicktime.full-frame-rate-playback-intent com.apple.quicktime.video-orientation
            buffering_period pan_scan_rect recovery_point film_grain_characteristics post_filter_hint tone_mapping_info
            frame_packing_arrangement display_orientation green_metadata structure_of_pictures_info
            active_parameter_sets decoding_unit_info decoded_picture_hash mastering_display_colour_volume
            content_light_level_info alternative_transfer_characteristics ambient_viewing_environment
            equirectangular_projection hdr10+ dolby~vision displaymatrix display_matrix stereo3d stereo_3d
            mastering_display_metadata mastering~display content_light_level content~light~level dynamic_hdr_plus
            dynamic_hdr10_plus dynamic_hdr_vivid dovi_rpu_buffer dovi_metadata dovi_conf film_grain_params afd panscan
            spherical new_extradata palette param_change skip_samples cpb_properties quality_stats motion_vectors
            video_enc_params regions_of_interest video_hint frame_cropping replaygain replay_gain downmix_info
            matrixencoding audio_service_type h263_mb_info fallback_track mpegts_stream_id jp_dual_mono delimiter
            prefix alpha scalability end~of~sequence end~of~stream
            """,
    }
)
